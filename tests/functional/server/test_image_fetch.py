"""Images that are fetched: from a real web server, and from the import folder and nowhere else."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from netctl.model.keys import ImageId, Key, Kind
from netctl.server.image_keeper import ImageKeeper, Retries
from netctl.v1 import compute_pb2 as compute
from tests.functional.server.test_images import RAW, SHA256, create, left
from tests.functional.server.world import World, until

DEBIAN = ImageId("debian")


class Web:
    """A web server whose answers the test decides."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.body, self.status, self.location = RAW, 200, ""
        self.length: int | None = None
        self.gate = threading.Event()
        self.gate.set()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.paths.append(self.path)
                moved = web.location and not self.path.startswith("/moved")
                self.send_response(302 if moved else web.status)
                if moved:
                    self.send_header("Location", web.location)
                length = len(web.body) if web.length is None else web.length
                self.send_header("Content-Length", "0" if moved else str(length))
                self.end_headers()
                if not moved:
                    self.wfile.write(web.body[: 1 << 20])
                    web.gate.wait(10)
                    self.wfile.write(web.body[1 << 20 :])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.uri = f"http://127.0.0.1:{self._server.server_port}/debian.raw"

    def close(self) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


@pytest.fixture
async def keeper(world: World, tmp_path: Path) -> AsyncIterator[ImageKeeper]:
    folder = tmp_path / "import"
    folder.mkdir()
    made = ImageKeeper(
        world.admission,
        world.ports.images,
        lambda keys: NOTED.extend(keys),
        import_dir=folder,
        retries=Retries(first_s=0.01, longest_s=0.05),
    )
    NOTED.clear()
    made.start()
    yield made
    made.close()


NOTED: list[Key] = []


def _says(keeper: ImageKeeper, text: str) -> bool:
    return text in keeper.problem(DEBIAN)


def stored(world: World) -> bool:
    image = world.admission.snapshot().image(DEBIAN)
    return image is not None and image.is_stored


async def test_an_image_is_fetched_and_its_bytes_go_with_it(
    world: World, keeper: ImageKeeper, web: Web, tmp_path: Path
) -> None:
    image = await create(world, source_uri=web.uri, sha256=SHA256)
    await until(lambda: stored(world))
    assert left(tmp_path) == [image.uid]
    assert hashlib.sha256((tmp_path / "images" / image.uid).read_bytes()).hexdigest() == SHA256
    await until(lambda: (Kind.IMAGE, "debian") in NOTED)
    assert keeper.problem(DEBIAN) == ""
    assert web.paths == ["/debian.raw"]
    await world.images.DeleteImage(compute.DeleteImageRequest(name="images/debian"))
    await until(lambda: left(tmp_path) == [])


async def test_a_server_that_fails_is_asked_again(world: World, keeper: ImageKeeper, web: Web) -> None:
    web.status = 503
    await create(world, source_uri=web.uri)
    await until(lambda: "the server answers 503" in keeper.problem(DEBIAN))
    await until(lambda: len(web.paths) >= 3)
    web.status = 200
    await until(lambda: stored(world))
    await until(lambda: keeper.problem(DEBIAN) == "")


async def test_a_connection_that_breaks_leaves_nothing(
    world: World, keeper: ImageKeeper, web: Web, tmp_path: Path
) -> None:
    web.length = len(RAW) + 1000
    await create(world, source_uri=web.uri)
    await until(lambda: "the connection broke" in keeper.problem(DEBIAN))
    assert not stored(world)
    await world.images.DeleteImage(compute.DeleteImageRequest(name="images/debian"))
    await until(lambda: left(tmp_path) == [])


async def test_wrong_content_is_not_asked_for_again(
    world: World, keeper: ImageKeeper, web: Web, tmp_path: Path
) -> None:
    await create(world, source_uri=web.uri, sha256="5e" * 32)
    await until(lambda: "of what came, not 5e5e" in keeper.problem(DEBIAN))
    assert "delete the image and make it anew" in keeper.problem(DEBIAN)
    keeper.wake()
    await create(world, "other", source_uri=web.uri + "?other")
    await until(lambda: "/debian.raw?other" in web.paths)
    assert web.paths.count("/debian.raw") == 1
    await until(lambda: [name for name in left(tmp_path) if name.endswith(".coming")] == [])


async def test_redirections_lead_to_the_web_only(world: World, keeper: ImageKeeper, web: Web) -> None:
    for location, text in (
        ("file:///etc/passwd", "is not allowed"),
        ("ftp://127.0.0.1/x", "unknown url type"),
    ):
        web.location = location
        await create(world, source_uri=web.uri)
        await until(partial(_says, keeper, text))
        await world.images.DeleteImage(compute.DeleteImageRequest(name="images/debian"))
    web.location = "/moved/debian.raw"
    await create(world, "other", source_uri=web.uri)
    await until(lambda: "/moved/debian.raw" in web.paths)


async def test_an_image_deleted_while_it_is_fetched_leaves_nothing(
    world: World, keeper: ImageKeeper, web: Web, tmp_path: Path
) -> None:
    web.gate.clear()
    image = await create(world, source_uri=web.uri)
    await until(lambda: left(tmp_path) == [f"{image.uid}.coming"])
    await world.images.DeleteImage(compute.DeleteImageRequest(name="images/debian"))
    web.gate.set()
    await until(lambda: left(tmp_path) == [])


async def test_a_file_of_the_import_folder_is_taken(
    world: World, keeper: ImageKeeper, tmp_path: Path
) -> None:
    folder = tmp_path / "import" / "os"
    folder.mkdir()
    (folder / "a disk.raw").write_bytes(RAW)
    await create(world, source_uri="file:///os/a%20disk.raw")
    await until(lambda: stored(world))


@pytest.mark.parametrize(
    "uri",
    [
        "file:///secret",
        "file:///link",
        "file:///linked/secret",
        "file:///pipe",
        "file:///folder",
        "file:///none",
    ],
)
async def test_nothing_else_is(world: World, keeper: ImageKeeper, tmp_path: Path, uri: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "import"
    outside.mkdir()
    (outside / "secret").write_bytes(RAW)
    (folder / "link").symlink_to(outside / "secret")
    (folder / "linked").symlink_to(outside)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    await create(world, source_uri=uri)
    await until(lambda: "is no file of the import folder" in keeper.problem(DEBIAN))
    assert not stored(world)


async def test_without_a_folder_no_file_is(world: World) -> None:
    keeper = ImageKeeper(world.admission, world.ports.images, lambda keys: None)
    keeper.start()
    await create(world, source_uri="file:///etc/passwd")
    await until(lambda: "when the controller has --import-dir" in keeper.problem(DEBIAN))
    keeper.close()


async def test_a_keeper_that_closes_ends_its_fetches(world: World, web: Web, tmp_path: Path) -> None:
    keeper = ImageKeeper(world.admission, world.ports.images, lambda keys: None)
    keeper.start()
    web.gate.clear()
    image = await create(world, source_uri=web.uri)
    await until(lambda: left(tmp_path) == [f"{image.uid}.coming"])
    threading.Timer(0.05, web.gate.set).start()
    keeper.close()
    await until(lambda: left(tmp_path) == [])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fetch-")]
