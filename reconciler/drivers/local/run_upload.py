"""From a finished run's folder to object storage."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.drivers.local.run_folder import RunFolder
from reconciler.drivers.local.run_record import ArtifactRecord, RunRecord, Uploaded, UploadedOutput
from reconciler.ports.objects import Objects


class RefusedOutput(Exception):
    """An output that would carry out of the run's folder what is not the run's."""


@dataclass(frozen=True)
class RunUpload:
    """Uploads one run's outputs and logs below `prefix`; several may at once, as the bytes are the same."""

    folder: RunFolder
    objects: Objects
    bucket: str
    prefix: str

    async def outputs(self, record: RunRecord) -> Uploaded:
        """Upload every output artifact; refuse all where one is not plainly a file or folder of the run."""
        artifacts = [(task.name, artifact) for task in record.tasks for artifact in task.artifacts]
        try:
            done = [await self._output(task, artifact) for task, artifact in artifacts]
        except RefusedOutput as refusal:
            return Uploaded(refused=str(refusal))
        return Uploaded(outputs=tuple(output for output in done if output is not None))

    async def logs(self) -> None:
        """Upload each task's log to `<prefix>/<task>/task.log`."""
        for path in sorted((self.folder.path / "logs").glob("*.log")):
            log = self.folder.log(path.stem) or b""
            await self.objects.put(self.bucket, f"{self.prefix}/{path.stem}/task.log", log)

    async def _output(self, task: str, artifact: ArtifactRecord) -> UploadedOutput | None:
        source = self._own_path(task, artifact)
        key = f"{self.prefix}/{task}/{artifact.name}"
        if source.is_dir():
            key += "/"
            for path in _plain_files(source, f"output {artifact.name} of task {task}"):
                await self._put(key + path.relative_to(source).as_posix(), path)
        elif source.is_file():
            await self._put(key, source)
        elif artifact.metadata:
            # Metrics are all metadata: the object is what a person would look for at that key.
            await self.objects.put(self.bucket, key, json.dumps(artifact.metadata).encode())
        else:
            return None
        return UploadedOutput(
            task=task,
            output=artifact.name,
            uri=f"s3://{self.bucket}/{key}",
            schema_title=artifact.schema_title,
            metadata=artifact.metadata,
        )

    def _own_path(self, task: str, artifact: ArtifactRecord) -> Path:
        """Return the artifact's path; it must lie in the run's outputs, with no symbolic link on the way."""
        home = self.folder.path / "outputs"
        path = Path(artifact.path)
        if not path.is_relative_to(home) or not path.resolve().is_relative_to(home.resolve()):
            raise RefusedOutput(f"output {artifact.name} of task {task} lies outside the run: {artifact.path}")
        if path.is_symlink():
            raise RefusedOutput(f"output {artifact.name} of task {task} is a symbolic link: write the file")
        return path

    async def _put(self, key: str, path: Path) -> None:
        await self.objects.put(self.bucket, key, await asyncio.to_thread(_read_plain, path))


def _read_plain(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        return file.read()


def _plain_files(folder: Path, what: str) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise RefusedOutput(f"{what} holds a symbolic link or special file: {path.relative_to(folder)}")
        if path.is_file():
            yield path
