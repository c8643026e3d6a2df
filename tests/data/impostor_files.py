"""What people have in place of a data file, made here, and the words by which it must be recognised."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile

import numpy as np
import torch

HTML = b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>Sorry</body></html>"


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/data.bin", b"content" * 50)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("folder/data.bin"), io.BytesIO())
    return buffer.getvalue()


def _torch() -> bytes:
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(3)}, buffer)
    return buffer.getvalue()


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


def _npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123456789\n"
IMPOSTORS: dict[str, tuple[bytes, str]] = {
    "Git LFS pointer": (POINTER, "Git LFS pointer.*git lfs pull"),
    "page of a drive": (HTML, "HTML page.*Quota exceeded.*login"),
    "page after blank lines": (b"\xef\xbb\xbf\n\n  <HTML lang=en><body>Sign in</body></HTML>", "HTML page"),
    "XML of a bucket": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML.*message"),
    "JSON error": (json.dumps({"error": {"code": 404}}).encode(), "JSON text.*message"),
    "gzip": (gzip.compress(b"content" * 50), "gzip-compressed.*unpack"),
    "bzip2": (bz2.compress(b"content" * 50), "bzip2-compressed.*unpack"),
    "xz": (lzma.compress(b"content" * 50), "xz-compressed.*unpack"),
    "Zstandard": (b"\x28\xb5\x2f\xfd" + bytes(range(100)), "Zstandard-compressed.*unpack"),
    "zip": (_zip(), "zip archive.*unpack"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(60), "7z archive.*unpack"),
    "RAR": (b"Rar!\x1a\x07\1\0" + bytes(60), "RAR archive.*unpack"),
    "tar": (_tar(), "tar archive.*unpack"),
    "empty": (b"", "empty.*download"),
    "zeros": (bytes(5000), "zeros alone.*download"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\n1 0 obj\n", "PDF"),
    "text": (b"Please read the README of the repository first.\n", "text"),
    "pickle": (pickle.dumps([1, 2]), "pickle"),
    "torch": (_torch(), "torch.save"),
    "npz": (_npz(), "npz archive"),
    "npy": (_npy(), r"\.npy array"),
    "old spreadsheet": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Office"),
}
TAKEN: dict[str, tuple[str, ...]] = {
    ".npy": ("npy",),
    ".npz": ("npz", "zip", "torch"),
    ".json": ("JSON error", "text"),
    ".yaml": ("JSON error", "text"),
    ".csv": ("text",),
    ".tsv": ("text",),
    ".txt": ("text",),
    ".pkl": ("pickle",),
    ".p": ("pickle",),
    ".pt": ("pickle",),
    "vectors": ("text", "pickle", "gzip"),
}
"""By the ending: what may be right as such, so that what is in it is for the reader to judge."""
