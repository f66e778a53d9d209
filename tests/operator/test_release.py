"""The image to deploy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from herolo_operator.console import Failure
from herolo_operator.release import provide_release

# Has the images whose names contain "here" and can pull those with "public"; one with "arm" is for another processor.
DOCKER = """#!/bin/sh
for image; do :; done
echo "$1 $2" >>"$RECORD"
case "$1 $2 $image" in
  "pull "*public*) touch "$RECORD.pulled" ;;
  "image inspect "*here*) ;;
  "image inspect "*public*) [ -e "$RECORD.pulled" ] || exit 1 ;;
  *) exit 1 ;;
esac
case $image in *arm*) echo linux/arm64 ;; *) echo linux/amd64 ;; esac
"""


@pytest.fixture(autouse=True)
def docker(stand_in: Callable[[str, str], Path]) -> None:
    stand_in("docker", DOCKER)


@pytest.mark.parametrize("image", ["herolo:here", "registry.example.com/herolo:public"])
def test_an_image_for_the_host_is_accepted(image: str) -> None:
    assert provide_release(image, lambda: None) == image


@pytest.mark.parametrize("image", ["herolo:here-arm", "herolo:public-arm"])
def test_an_image_for_another_processor_is_refused(image: str) -> None:
    with pytest.raises(Failure, match="is for linux/arm64, but the host is linux/amd64: build it on"):
        provide_release(image, lambda: None)


def test_an_image_that_is_nowhere_is_refused() -> None:
    with pytest.raises(Failure, match="leave IMAGE out to deploy the source"):
        provide_release("herolo:lost", lambda: None)


@pytest.mark.parametrize("image", ["-it", "a b", "x;rm", "$(id)"])
def test_what_is_no_name_of_an_image_is_refused(image: str) -> None:
    with pytest.raises(Failure, match="is not the name of an image"):
        provide_release(image, lambda: None)
