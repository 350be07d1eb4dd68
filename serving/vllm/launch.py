"""How a vLLM server is started: its command line and its environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MODULE: Final = "vllm.entrypoints.openai.api_server"
"""Started as a module: the CPU build comes without the metadata that its console script asks for."""
_AFTER_PARENT: Final = (
    "import ctypes, os, sys\n"
    "if sys.platform == 'linux':\n"
    "    ctypes.CDLL(None).prctl(1, 15)\n"
    "os.execv(sys.executable, [sys.executable, '-m', *sys.argv[1:]])\n"
)
"""Has the kernel end the server with the process that started it (PR_SET_PDEATHSIG), and becomes the server."""
_ON_CPU: Final = ("--dtype", "float32", "--enforce-eager", "--block-size", "32")


@dataclass(frozen=True, slots=True)
class Launch:
    """What to serve, and where."""

    model: str
    """Folder of a base model, or its id on the hub."""
    name: str
    """What it is called in requests."""
    port: int
    host: str = "127.0.0.1"
    context: int | None = None
    """Tokens that a call may read and write together; None takes the model's own."""
    rank: int = 16
    """Highest rank of the adapters; vLLM takes 8, 16, 32, 64, 128, 256, 320 or 512."""
    adapters: int = 4
    """Adapters that one batch may mix; more may be loaded, and take turns."""
    sequences: int = 32
    """Calls answered at a time."""
    on_cpu: bool = False
    cache_gib: int = 1
    """Memory of the KV cache on a CPU; on a GPU vLLM takes what is there."""
    flags: tuple[str, ...] = ()
    """Further flags; they win over ours."""

    @property
    def url(self) -> str:
        """Where it will answer."""
        return f"http://{self.host}:{self.port}"

    def command(self, python: Path) -> Sequence[str]:
        """The command line, for the interpreter of an environment that has vLLM."""
        lora = ("--enable-lora", "--max-lora-rank", str(self.rank), "--max-loras", str(self.adapters))
        return (
            *(str(python), "-c", _AFTER_PARENT, _MODULE),
            *("--model", self.model, "--served-model-name", self.name),
            *("--host", self.host, "--port", str(self.port)),
            *("--max-num-seqs", str(self.sequences), *lora, "--max-cpu-loras", str(max(32, self.adapters))),
            *(() if self.context is None else ("--max-model-len", str(self.context))),
            *(_ON_CPU if self.on_cpu else ()),
            "--enable-prefix-caching",
            *self.flags,
        )

    def environment(self, inherited: Mapping[str, str]) -> Mapping[str, str]:
        """Its environment: adapters may be loaded at run time, and nothing is reported to anybody."""
        ours = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        if self.on_cpu:
            ours["VLLM_CPU_KVCACHE_SPACE"] = str(self.cache_gib)
        return {**inherited, **ours}
