"""What clients send and get, as the OpenAPI document publishes it.  Fields that nobody here reads are ignored."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MAX_CHARACTERS = 4_000_000
MAX_CHOICES = 8
MAX_STOPS = 16


def _whole(value: object) -> object:
    """JSON has one kind of number: 1.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_whole)
Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
StopText = Annotated[str, Field(min_length=1, max_length=200)]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(gt=0, le=1)]
Seed = Annotated[int, Field(ge=-1, le=2**31 - 1), WHOLE]


class Body(BaseModel):
    """Types are strict: a number in quotes is a mistake that its author should hear of."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Chunk(Body):
    """A piece of another file."""

    text: Text
    filename: Annotated[str, Field(max_length=4096)] = ""


class InfillRequest(Body):
    """llama.cpp's `/infill`, as llama.vim and llama.vscode send it; the cursor stands behind `prompt`."""

    input_prefix: Text = ""
    input_suffix: Text = ""
    prompt: Text = ""
    input_extra: Annotated[list[Chunk], Field(max_length=256)] = []
    n_predict: Annotated[int, Field(ge=-1, le=2048), WHOLE] = -1
    stop: Annotated[list[StopText], Field(max_length=MAX_STOPS)] = []
    temperature: Temperature | None = None
    seed: Seed | None = None
    stream: bool = False
    return_tokens: bool = False
    response_fields: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=64)] | None = None
    path: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="The file, relative to the workspace. Ours: llama.cpp has no such field."
    )


class StreamOptions(Body):
    """What a stream brings beside the text."""

    include_usage: bool = False


class CompletionRequestBody(Body):
    """OpenAI's `/v1/completions`."""

    model: Annotated[str, Field(max_length=1000)] | None = None
    prompt: Text | Annotated[list[Text], Field(min_length=1, max_length=1)]
    suffix: Text | None = None
    max_tokens: Annotated[int, Field(ge=0, le=2048), WHOLE] | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), WHOLE] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: StopText | Annotated[list[StopText], Field(max_length=MAX_STOPS)] | None = None
    seed: Seed | None = None
    logprobs: Annotated[int, Field(ge=0, le=5), WHOLE] | None = None
    path: Annotated[str, Field(max_length=4096)] | None = Field(
        default=None, description="The file, relative to the workspace. Ours: OpenAI has no such field."
    )


class Timings(BaseModel):
    """As llama.cpp gives them."""

    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float
    predicted_per_second: float


class Drafting(BaseModel):
    """What drafts saved; not in llama.cpp's answer."""

    forwards: int
    drafted: int
    accepted: int
    sources: list[dict[str, Any]]


class InfillResponse(BaseModel):
    """The answer to `/infill`; with `response_fields` only those, each under its full name."""

    content: str
    tokens: list[int] = []
    model: str
    stop: bool = True
    stop_type: Literal["eos", "limit", "word"]
    tokens_predicted: int
    tokens_evaluated: int
    tokens_cached: int
    truncated: bool = False
    timings: Timings
    rest: Drafting


class LogProbs(BaseModel):
    """Of all tokens that were decoded for a choice, those that ended it included."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class Choice(BaseModel):
    """One text."""

    index: int
    text: str
    logprobs: LogProbs | None = None
    finish_reason: Literal["stop", "length"] | None = None


class Usage(BaseModel):
    """Tokens of one request."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """The answer to `/v1/completions`, and one event of its stream."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage | None = None


class Model(BaseModel):
    """The model that is loaded."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "rest-lsp"


class ModelList(BaseModel):
    """The answer to `/v1/models`."""

    object: Literal["list"] = "list"
    data: list[Model]


class Health(BaseModel):
    """The answer to `/health`."""

    status: Literal["ok", "loading", "error"]


class Fault(BaseModel):
    """What went wrong."""

    message: str
    type: str
    code: int


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: Fault
