"""Every setting with its type and default; `docs/configuration.md` explains them, and a test holds the two together.

Validation here looks at one value at a time; what involves two sections is in `consistency`. Attribute docstrings
become the descriptions of the exported JSON Schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from config.units import Duration, Share, Size, Timeout
from config.values import (
    BaseUrl,
    EnvironmentName,
    Fallback,
    Folder,
    HeaderName,
    HeaderValue,
    Name,
    Price,
    RuleName,
    StoreUrl,
)


class Section(BaseModel):
    """A part of the file: frozen, and a key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Server(Section):
    """Where the proxy listens, and how much of a call it holds in memory."""

    host: str = "127.0.0.1"
    """Address to listen on; wider than loopback needs auth.mode keys."""
    port: int = Field(default=8400, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int = Field(default=1, ge=1, le=256)
    """Worker processes."""
    drain: Duration = 30.0
    """How long a stopping worker waits for calls in flight."""
    capture_limit: Size = 8 * 2**20
    """Bytes of a body that the journal keeps, in each direction."""
    buffer_limit: Size = 32 * 2**20
    """Larger request bodies are not parsed: they stream upstream."""
    transport: Literal["lean", "aiohttp"] = "lean"
    """The HTTP client of the data path."""


class Auth(Section):
    """Who may call."""

    mode: Literal["passthrough", "keys"] = "passthrough"
    """`passthrough`: the agent's own key goes upstream. `keys`: agents hold proxy keys."""


class Timeouts(Section):
    """Limits on one attempt; null waits for ever."""

    connect: Timeout | None = 5.0
    """Until a connection stands."""
    first_byte: Timeout | None = 600.0
    """From the request being sent until the response head."""
    idle: Timeout | None = 300.0
    """Between two chunks of the answer."""
    total: Timeout | None = None
    """From start to end."""


class EngineTimeouts(Timeouts):
    """Limits on one attempt at an engine: shorter than an upstream's, because the upstream is still to be asked."""

    connect: Timeout | None = 1.0
    """Until a connection stands."""
    first_byte: Timeout | None = 60.0
    """From the request being sent until the response head."""
    idle: Timeout | None = 30.0
    """Between two chunks of the answer."""


class Retries(Section):
    """Further tries before the first byte has reached the agent."""

    attempts: int = Field(default=1, ge=0, le=10)
    """Extra tries after the first."""
    budget: Duration = 10.0
    """Time that all tries may take before no other is started."""
    statuses: tuple[Annotated[int, Field(ge=400, le=599)], ...] = (502, 503, 504)
    """Response statuses that are tried again."""


class Upstream(Section):
    """An LLM API that agents would have called."""

    base_url: BaseUrl
    """Where `/v1` of this API is, such as https://api.openai.com/v1."""
    api_key_env: EnvironmentName | None = None
    """Variable holding the upstream's key: it replaces the agent's in auth mode keys, and fills in where an agent sends
    none in passthrough."""
    models: tuple[str, ...] = ("*",)
    """Globs of the models this upstream serves; the first upstream that matches is asked."""
    stream_usage: Literal["auto", "off"] = "auto"
    """Whether streams are asked for their token usage where the agent did not ask."""
    timeouts: Timeouts = Timeouts()
    """Limits on one attempt."""
    retries: Retries = Retries()
    """Further tries."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Headers added to every request."""


class Engine(Section):
    """A server of small models that speaks the OpenAI protocol."""

    kind: Literal["heads", "vllm"]
    """`vllm`: generative models. `heads`: the embedded server of classification heads."""
    base_url: BaseUrl | None = None
    """Where its `/v1` is; only a heads engine may leave it out."""
    base_urls: tuple[BaseUrl, ...] = ()
    """Where further servers of the same models are; each call goes to the one with the fewest requests in flight."""
    api_key_env: EnvironmentName | None = None
    """Variable holding the engine's key."""
    timeouts: EngineTimeouts = EngineTimeouts()
    """Limits on one attempt."""
    dollars_per_hour: Price | None = None
    """What its hosts cost, busy or not; null counts 5 cents for a million tokens."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Every URL, each once; empty for the embedded server of heads."""
        first = () if self.base_url is None else (self.base_url,)
        return tuple(dict.fromkeys((*first, *self.base_urls)))

    def urls_with(self, heads: str) -> tuple[str, ...]:
        """Its URLs; where a heads engine names none, that of the embedded server, which is empty while none runs."""
        return self.urls or ((heads,) if heads and self.kind == "heads" else ())

    @property
    def gives_logprobs(self) -> bool:
        """Whether it tells the probabilities of tokens when asked; heads say of themselves how sure they are."""
        return self.kind == "vllm"


class SlmPrice(Section):
    """Dollars per million tokens of a small model."""

    input: Price = 0.0
    """Prompt tokens."""
    output: Price = 0.0
    """Generated tokens."""


class Slm(Section):
    """A small model named by hand."""

    engine: str
    """The engine that serves it."""
    model: str = Field(min_length=1)
    """Its name there."""
    context: int | None = Field(default=None, ge=1)
    """Tokens it can read and write together; longer calls go upstream. null does not check."""
    images: bool = False
    """Whether it reads images."""
    timeout: Timeout | None = None
    """Time it may take before the upstream is asked; null leaves it to the engine's timeouts."""
    price: SlmPrice | None = None
    """What it costs; null counts it as free."""


class ModelPrice(Section):
    """Dollars per million tokens of an upstream's model."""

    input: Price
    """Prompt tokens."""
    cached_input: Price | None = None
    """Prompt tokens read from the provider's cache; null takes the price of input."""
    output: Price
    """Generated tokens."""


class Store(Section):
    """The database that the journal is shipped to."""

    url: StoreUrl = "sqlite:///understudy.db"
    """sqlite:///file or postgresql://user:password@host/database."""
    retain: Duration | None = 30 * 86400.0
    """Age at which calls are deleted; null keeps them."""
    content: bool = True
    """Whether requests and responses are stored, or only what was counted."""
    fsync: Literal["never", "second", "always"] = "never"
    """When a record is on the disk itself, so that it survives the machine's death and not only its processes'."""


class Privacy(Section):
    """What becomes of values that concern people."""

    redact: Literal["before_training", "before_storage"] = "before_training"
    """When they are replaced by invented ones: in data sets only, or in the log already."""


class Selection(Section):
    """Which small models may be tried for a task, and how."""

    catalogue: Folder | None = None
    """File with models of your own, beside the project's catalogue and before it."""
    trials: tuple[Literal["zero-shot", "few-shot", "fine-tuned"], ...] = (
        "zero-shot",
        "few-shot",
        "fine-tuned",
    )
    """How each model is tried that an engine serves: as it is, with examples in its prompt, tuned."""
    licences: tuple[str, ...] = ("*",)
    """Globs of the licences that are allowed."""
    languages: tuple[str, ...] = ()
    """Languages that a model has to know, as ISO 639-1 codes; none does not check."""
    memory: Size | None = None
    """Memory of the device that serves; null does not check."""
    precision: Literal["bf16", "int4"] = "bf16"
    """Of the weights there."""
    calls: int = Field(default=8, ge=1)
    """Calls that it has to answer at the same time."""


class Finetune(Section):
    """How a model that an engine serves is tuned to a task."""

    method: Literal["auto", "lora", "qlora", "full"] = "auto"
    """lora trains an adapter beside the weights, qlora beside weights in four bits, full the layers' weights themselves,
    whose change is kept as an adapter; auto takes qlora where a GPU and bitsandbytes are there, else lora."""
    rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = 16
    """Of the adapters; the engine has to be started with at least the same `--rank`."""
    steps: int = Field(default=200, ge=1)
    """Steps of training that a task with few calls gets at least, if no call is then seen more than 20 times."""


class Learning(Section):
    """Finding the tasks of an agent, and training and proving understudies for them."""

    enabled: bool = True
    """Whether tasks are recognised and their understudies answer where the gate lets them."""
    artifacts: Folder | None = None
    """Folder of data sets, routers and trained models; null takes `artifacts` in the state folder."""
    min_examples: int = Field(default=100, ge=1)
    """Good calls a task must have before anything is trained for it."""
    every: Timeout | None = None
    """How often `understudy convert --watch` looks whether there is something to train; null trains when it is told."""
    names_by: str | None = None
    """Model that the upstream is asked for names of tasks; null makes names of tools, schemas and frequent terms."""
    selection: Selection = Selection()
    """Which small models may be tried."""
    finetune: Finetune = Finetune()
    """How they are tuned."""
    shadow_requests: int = Field(default=20_000, ge=0)
    """Requests a day that compare understudies with the LLM, after the agent has its answer."""
    shadow_dollars: Price = 5.0
    """Dollars a day that those requests may cost at the upstream."""
    shadow_pairs: int = Field(default=50, ge=1)
    """Answers that must at least be compared before an understudy answers any agent."""
    canary_calls: int = Field(default=50, ge=1)
    """Calls that an understudy must have answered at 5% of sessions, and again at 25%, before its share grows."""
    canary_audits: int = Field(default=20, ge=0)
    """Of those calls, how many must have been compared with the LLM's answer."""
    slow_after: Timeout = 1.0
    """An understudy's answer is slow when it took three times as long as the LLM's usually do, and at least so long."""


class Defaults(Section):
    """What holds where no rule says otherwise."""

    route: str = "auto"
    """auto, upstream or the name of a small model."""
    min_agreement: Share = 0.95
    """Agreement with the LLM that an understudy must reach."""
    confidence: Annotated[Share, Field(lt=1)] = 0.95
    """Confidence with which that must be shown."""
    audit: Share = 0.02
    """Share of replaced calls that also go to the LLM."""
    fallback: Fallback = "upstream"
    """Whether the upstream is asked when an understudy fails."""
    timeout: Timeout | None = None
    """Time an understudy may take; null takes the small model's."""


class Rule(Section):
    """One rule: which calls, and where they go. What it leaves out is taken from defaults."""

    name: RuleName
    """Shown in headers, records and statistics."""
    when: dict[str, Any] = Field(default_factory=dict)
    """Conditions that must all hold; none at all holds for every call."""
    route: str | None = None
    """auto, upstream or the name of a small model."""
    share: Share = 1.0
    """Share of sessions that the rule replaces; the others go upstream."""
    timeout: Timeout | None = None
    """Time the understudy may take."""
    min_agreement: Share | None = None
    """Agreement with the LLM that an understudy must reach."""
    confidence: Annotated[Share, Field(lt=1)] | None = None
    """Confidence with which that must be shown."""
    audit: Share | None = None
    """Share of replaced calls that also go to the LLM."""
    fallback: Fallback | None = None
    """Whether the upstream is asked when the understudy fails."""


def _openai() -> dict[str, Upstream]:
    return {"openai": Upstream(base_url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY")}


class Settings(Section):
    """The whole file."""

    version: Literal[1] = 1
    """Version of this format."""
    server: Server = Server()
    """Where the proxy listens."""
    auth: Auth = Auth()
    """Who may call."""
    upstreams: dict[Name, Upstream] = Field(default_factory=_openai, min_length=1)
    """The LLM APIs, in order."""
    engines: dict[Name, Engine] = Field(default_factory=dict)
    """Servers of small models."""
    slms: dict[Name, Slm] = Field(default_factory=dict)
    """Small models named by hand."""
    store: Store = Store()
    """The database."""
    state_dir: Folder = Path(".understudy")
    """Folder of the journal and the key file."""
    privacy: Privacy = Privacy()
    """What becomes of values that concern people."""
    learning: Learning = Learning()
    """Finding tasks, and training and proving understudies."""
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    """What upstream models cost."""
    defaults: Defaults = Defaults()
    """What holds where no rule says otherwise."""
    rules: tuple[Rule, ...] = ()
    """Rules in order; the first that matches decides."""
