# shellcheck shell=sh
#
# Run on the host as root, by scripts/operate: prints its state as lines of "what|state|more". A state that begins with
# NOT is a fault. Needs nothing but what the roles install.

api() {
  docker service inspect --format "$1" herolo_api 2>/dev/null
}

# Each replica that runs: its release, since when, and what its own /readyz says of the database.
replicas() {
  wanted=$(api '{{.Spec.Mode.Replicated.Replicas}}') || {
    echo 'service|NOT DEPLOYED|deploy, or see whether the host has just started'
    return
  }
  ready=0
  for container in $(docker ps --quiet --filter label=com.docker.swarm.service.name=herolo_api); do
    process=$(docker inspect --format '{{.State.Pid}}' "$container")
    answer=$(nsenter --net --target "$process" python3 -c '
import urllib.request, urllib.error
try:
    print(urllib.request.urlopen("http://127.0.0.1:8000/readyz", timeout=5).status)
except urllib.error.HTTPError as fault:
    print(fault.code)
except OSError as fault:
    print(fault)')
    state=ready
    [ "$answer" = 200 ] && ready=$((ready + 1)) || state="NOT READY"
    echo "replica|$state|$(release_of "$container"), $(docker ps --filter "id=$container" --format '{{.Status}}'), readyz: $answer"
  done
  if [ "$ready" -gt 0 ] && [ "$ready" -ge "$wanted" ]; then
    echo "service|$ready of $wanted|$(api '{{index .Spec.Labels "herolo.release"}}'), last update: $(api '{{if .UpdateStatus}}{{.UpdateStatus.State}} {{.UpdateStatus.CompletedAt}}{{else}}none{{end}}')"
    echo "database|reached|by $ready replicas, with the schema that they need"
  else
    echo "service|NOT COMPLETE|$ready of $wanted replicas are ready (make logs says why)"
    [ "$ready" -gt 0 ] || echo 'database|NOT REACHED|by any replica'
  fi
}

# Of the image that this container was made from; during an update there are two.
release_of() {
  image=$(docker inspect --format '{{.Image}}' "$1")
  docker image inspect --format '{{range .RepoTags}}{{.}} {{end}}' "$image" | cut -d ' ' -f 1
}

edge() {
  running=$(docker ps --filter label=com.docker.swarm.service.name=edge_traefik --format '{{.Status}}')
  case $running in
    *'(healthy)'*) echo "traefik|healthy|$running" ;;
    *) echo "traefik|NOT HEALTHY|${running:-not running} (make logs says why)" ;;
  esac
}

certificate() {
  domain=$(docker service inspect --format '{{index .Spec.Labels "traefik.http.routers.herolo.rule"}}' herolo_api | cut -d '`' -f 2)
  found=$(openssl s_client -connect 127.0.0.1:443 -servername "$domain" </dev/null 2>/dev/null |
    openssl x509 -noout -enddate -issuer 2>/dev/null) || {
    echo 'certificate|NOT THERE|Traefik has none for the domain (make logs says why)'
    return
  }
  end=$(echo "$found" | sed -n 's/^notAfter=//p')
  days=$((($(date --date "$end" +%s) - $(date +%s)) / 86400))
  state=valid
  # Traefik renews a certificate of 90 days 30 days before its end.
  [ "$days" -ge 14 ] || state='NOT RENEWED'
  echo "certificate|$state|$domain, $days days left, until $end, $(echo "$found" | sed -n 's/^issuer=/issued by /p')"
}

disk() {
  used=$(df --output=pcent / | tail -n 1 | tr -dc 0-9)
  state="$used % used"
  [ "$used" -lt 85 ] || state="NOT MUCH LEFT"
  echo "disk|$state|$(df --human-readable --output=used,size / | tail -n 1 | awk '{print $1 " of " $2}'); $(docker image ls --quiet | sort -u | wc -l) images"
  echo "memory|$(free | awk '/^Mem/ {print int($3 * 100 / $2)}') % used|$(free --human | awk '/^Mem/ {print $3 " of " $2}'), load $(cut -d ' ' -f 1-3 /proc/loadavg)"
  [ ! -f /run/reboot-required ] || echo 'updates|restart due|the host restarts by itself at 03:30 UTC'
}

certificate
edge
replicas
disk
