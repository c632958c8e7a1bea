"""Has the openai package embed texts by the server at the given address."""

import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="unused")
model = client.models.list().data[0].id
texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Stock prices fell."]
answer = client.embeddings.create(model=model, input=texts)  # asks for base64
cat, kitten, stocks = (d.embedding for d in answer.data)


def near(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b))


assert near(cat, kitten) > near(cat, stocks) + 0.2, "the model's vectors mean nothing"
assert answer.usage.prompt_tokens > 10
plain = client.embeddings.create(model=model, input=texts[0], encoding_format="float")
assert max(abs(x - y) for x, y in zip(plain.data[0].embedding, cat)) < 1e-6
try:
    client.embeddings.create(model="another", input="x")
    raise AssertionError("another model was taken for this one")
except openai.NotFoundError as e:
    assert e.code == "model_not_found" and e.param == "model"
print("openai", openai.__version__, "with", model, "passes")
