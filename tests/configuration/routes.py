"""Routers beside those of the role, whose requests take the same way as those to the service."""

from configuration.parts import REPLICA
from configuration.rendered import DOMAIN

ROUTES = f"""\
http:
  routers:
    test:
      rule: "Host(`{DOMAIN}`) && !PathRegexp(`^/(metrics|unrouted)`)"
      entryPoints: [websecure]
      middlewares: [api]
      service: test
      tls: {{}}
    page:
      priority: 1000
      rule: "Host(`{DOMAIN}`) && Path(`/page`)"
      entryPoints: [websecure]
      middlewares: [pages]
      service: test
      tls: {{}}
    impatient:
      priority: 1000
      rule: "Host(`{DOMAIN}`) && Path(`/late`)"
      entryPoints: [websecure]
      middlewares: [api]
      service: impatient
      tls: {{}}
    checked:
      priority: 1000
      rule: "Host(`{DOMAIN}`) && Path(`/checked`)"
      entryPoints: [websecure]
      middlewares: [api]
      service: checked-or-none
      tls: {{}}
  services:
    test: {{loadBalancer: {{serversTransport: replicas, servers: &servers [{{url: "http://{REPLICA}:8000"}}]}}}}
    impatient: {{loadBalancer: {{serversTransport: impatient, servers: *servers}}}}
    checked-or-none: {{failover: {{service: checked, fallback: noop@internal}}}}
    checked:
      loadBalancer:
        healthCheck: {{path: /drainz, interval: 1s, timeout: 1s}}
        servers: *servers
  serversTransports:
    impatient: {{forwardingTimeouts: {{responseHeaderTimeout: 100ms}}}}
tls:
  certificates: [{{certFile: /etc/traefik/server.pem, keyFile: /etc/traefik/server.key}}]
"""
