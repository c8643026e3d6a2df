"""Properties of the emotion-embedding model that no reference file can show."""

import pytest
import torch

from lib.errors import InputError
from lib.models.dropout import dropout_noise, generator_noise
from lib.models.eea import EEA

SIZES = {"text": 7, "audio": 5, "video": 4}
HIDDEN = {"text": 6, "audio": 5, "video": 4}
EMOTIONS = 3


def model_of(**options) -> EEA:
    torch.manual_seed(0)
    sizes = options.pop("sizes", SIZES)
    options = {"layers": 2, "bidirectional": True, "dropout": 0.0, **options}
    return EEA(sizes, HIDDEN, torch.randn(EMOTIONS, 6), **options).double()


def features(batch: int = 4, time: int = 5) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {m: torch.randn(batch, time, d, generator=generator, dtype=torch.float64) for m, d in SIZES.items()}


def test_adding_emotions_leaves_the_other_logits_unchanged():
    model, x = model_of(), features()
    before = model(**x)
    model.set_emotions(torch.cat([torch.randn(2, 6), model.emotion_vectors]))
    after = model(**x)
    assert after.shape == (4, EMOTIONS + 2)
    torch.testing.assert_close(after[:, 2:], before, rtol=1e-12, atol=1e-12)


def test_emotion_vectors_are_frozen_even_under_weight_decay():
    model = model_of()
    before = model.emotion_vectors.clone()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    model(**features()).sum().backward()
    optimiser.step()
    assert torch.equal(model.emotion_vectors, before)
    assert "emotion_vectors" in model.state_dict()


@pytest.mark.parametrize("modalities", [["text"], ["video", "audio"], ["text", "video"]])
def test_modalities_that_are_not_scored_are_ignored(modalities):
    model, x = model_of(modalities=modalities), features()
    noisy = {m: v if m in modalities else torch.full_like(v, float("nan")) for m, v in x.items()}
    alone = {m: v for m, v in x.items() if m in modalities}
    assert torch.equal(model(**noisy), model(**alone))
    absent = next(m for m in SIZES if m not in modalities)
    model(**x).sum().backward()
    assert all(p.grad is None for p in model.rnns[absent].parameters())


def test_every_subset_starts_from_the_same_weights():
    whole, part = model_of().state_dict(), model_of(modalities=["audio"]).state_dict()
    assert all(torch.equal(whole[name], part[name]) for name in whole if name != "modality_weights.weight")


def test_a_text_only_corpus_builds_a_text_only_model():
    model = model_of(sizes={"text": 7})
    assert set(model.rnns) == {"text"}
    assert not model.maps
    assert model(text=features()["text"]).shape == (4, EMOTIONS)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_final_states_read_the_first_step_backwards(cell):
    """Last-step pooling hardly reads early steps with the reverse direction; the mend does."""
    torch.manual_seed(2)
    last, final = (model_of(cell=cell, pooling=p, layers=1) for p in ("last_step", "final_states"))
    final.load_state_dict(last.state_dict())
    x = features()
    reverse = {name: p for name, p in last.named_parameters() if "weight_hh_l0_reverse" in name}
    last(**x).sum().backward()
    assert all(p.grad.abs().max() == 0 for p in reverse.values())
    final(**x).sum().backward()
    assert all(dict(final.named_parameters())[name].grad.abs().max() > 0 for name in reverse)
    text = final.rnns["text"]
    output, _ = text(x["text"])
    expected = output[:, -1, :6] + output[:, 0, 6:]
    torch.testing.assert_close(final.encode("text", x["text"]), expected, rtol=1e-12, atol=1e-12)


def test_last_step_saving_is_exact_with_dropout_and_gradients():
    """Against the direct reading of the full output, with the same dropout noise."""
    model, x = model_of(dropout=0.3).train(), features()["text"]
    rnn = model.rnns["text"]

    def run(read):
        with dropout_noise(generator_noise(torch.Generator().manual_seed(3))):
            vector = read(x)
        return vector, torch.autograd.grad(vector.square().sum(), list(rnn.parameters()))

    short, short_gradients = run(lambda x: model.encode("text", x))
    full, full_gradients = run(lambda x: rnn(x)[0][:, -1].unflatten(-1, (2, 6)).sum(1))
    torch.testing.assert_close(short, full, rtol=1e-12, atol=1e-12)
    for a, b in zip(short_gradients, full_gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13)


def test_a_batch_of_one_keeps_its_axis():
    assert model_of()(**features(batch=1)).shape == (1, EMOTIONS)


def test_emotion_space_of_text_is_the_word_vectors():
    model = model_of()
    assert torch.equal(model.emotion_space("text"), model.emotion_vectors)
    assert model.emotion_space("audio").shape == (EMOTIONS, HIDDEN["audio"])


def test_unusable_sizes_are_refused():
    vectors = [[0.0] * 8] * EMOTIONS
    with pytest.raises(InputError, match="hidden size 6 of text, but emotion vectors of width 8"):
        EEA(SIZES, HIDDEN, vectors)
    assert EEA(SIZES, HIDDEN, vectors, modalities=["audio", "video"]).maps["audio"].in_features == 8
    with pytest.raises(InputError, match="modalities"):
        EEA(SIZES, HIDDEN, [[0.0] * 6], modalities=["text", "text"])
    with pytest.raises(InputError, match=r"features of \['text'\] only"):
        EEA({"text": 7}, HIDDEN, [[0.0] * 6], modalities=["audio"])
    with pytest.raises(InputError, match="cell 'rnn'"):
        model_of(cell="rnn")
    with pytest.raises(InputError, match="pooling 'mean'"):
        model_of(pooling="mean")(**features())
    with pytest.raises(InputError, match=r"give \(emotions, 6\)"):
        model_of().set_emotions(torch.zeros(2, 5))


def test_missing_features_are_named():
    with pytest.raises(ValueError, match="needs features of audio"):
        model_of()(text=features()["text"], video=features()["video"])
