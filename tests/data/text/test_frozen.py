import numpy as np
import pytest
import torch

from lib.data.pretrained import PARTS
from lib.data.text import frozen, wordpiece
from lib.errors import InputError
from lib.minilm import Layer, MiniLM
from tests.data.parts import pinned, write_glove

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "movie", "##s", "bad", "!", "not", "cafe"]
RELEASED = PARTS["minilm"]
NUMBERS = {piece: number for number, piece in enumerate(PIECES)}


@pytest.fixture
def root(tmp_path, monkeypatch):
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    parts = {
        "minilm": pinned("minilm", tmp_path, ("vocab.txt", "model.safetensors")),
        "glove_6b_50d": write_glove(tmp_path, ["good", "movies", "bad"]),
    }
    monkeypatch.setattr(frozen, "PARTS", parts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = MiniLM(vocab_size=len(PIECES), layers=2, feedforward=16, positions=frozen.LONGEST).eval()
    monkeypatch.setattr(frozen, "_network", lambda path: network)
    return tmp_path


def test_words_are_cut_as_berts_are():
    assert wordpiece.words("Good CAFÉ!isn't\t$5\x00") == ["good", "cafe", "!", "isn", "'", "t", "$", "5"]
    assert wordpiece.words("a\u4e2d\u6587b") == ["a", "\u4e2d", "\u6587", "b"]


def test_the_longest_piece_comes_first_and_one_lacking_makes_the_word_unknown():
    assert wordpiece.pieces("movies", NUMBERS) == [NUMBERS["movie"], NUMBERS["##s"]]
    assert wordpiece.pieces("moviex", NUMBERS) == [NUMBERS["[UNK]"]]
    assert wordpiece.pieces("s" * 101, NUMBERS | {"s": 90, "##s": 91}) == [NUMBERS["[UNK]"]]


@pytest.mark.parametrize("content", [b"good\nbad\n", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[SEP]\n", b"\xff\xfe\xfa good\n"])
def test_what_is_no_vocabulary_is_refused(tmp_path, content):
    (tmp_path / "vocab.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"vocab\.txt"):
        wordpiece.vocabulary(tmp_path / "vocab.txt")


def test_a_sentence_does_not_depend_on_its_neighbours_and_its_order_counts(root):
    together = frozen.sentence_vectors(["good", "not bad movies not good !", "good not bad"], root)
    alone = frozen.sentence_vectors(["good"], root)
    np.testing.assert_allclose(together[0], alone[0], atol=1e-6)  # float32 sums over another length
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    other = frozen.sentence_vectors(["bad not good"], root)
    assert np.abs(other[0] - together[2]).max() > 1e-3


def test_a_word_is_the_mean_of_its_pieces_in_context(root):
    (found,) = frozen.word_vectors([["good", "movies", "!"]], root, "minilm")
    tokens = torch.tensor([[NUMBERS[p] for p in ("[CLS]", "good", "movie", "##s", "!", "[SEP]")]])
    with torch.inference_mode():
        states = frozen._network(None)(tokens, torch.ones_like(tokens, dtype=torch.bool))[0].numpy()
    np.testing.assert_allclose(found, [states[1], states[2:4].mean(0), states[4]], atol=1e-5)


def test_lower_states_are_those_behind_the_first_layers(root):
    states, rows = frozen.lower_states(["good movies", "bad", "good movies", "! ! ! ! !"], root, layers=1, longest=5)
    assert rows[0] == rows[2] and [row.stop - row.start for row in rows] == [5, 3, 5, 5]
    tokens = torch.tensor([[NUMBERS[p] for p in ("[CLS]", "good", "movie", "##s", "[SEP]")]])
    with torch.inference_mode():
        network = frozen._network(None)
        expected = network(tokens, torch.ones_like(tokens, dtype=torch.bool), 1)[0]
        last = network(tokens, torch.ones_like(tokens, dtype=torch.bool))[0]
        np.testing.assert_allclose(states[rows[0]], expected.numpy(), atol=1e-5)
        onward = network.encoder["layer"][1](
            torch.from_numpy(np.array(states[rows[0]]))[None], torch.zeros(1, 5).bool()
        )
    np.testing.assert_allclose(onward[0].numpy(), last.numpy(), atol=1e-5)


def test_texts_without_words_and_beyond_the_limit_have_zeros(root):
    none, long = frozen.word_vectors([[], ["good"] * 300], root, "minilm")
    assert none.shape == (0, 384)
    assert np.abs(long[: frozen.LONGEST - 2]).sum(1).all()
    assert not long[frozen.LONGEST - 2 :].any()
    assert frozen.word_vectors([], root, "minilm") == []
    assert frozen.sentence_vectors([], root).shape == (0, 384)


@pytest.mark.parametrize("kind", ["glove", "minilm"])
def test_the_last_words_are_those_of_the_whole_text(root, kind):
    texts = [["good", "movies", "not", "bad"], ["bad"], ["good", "movies", "not", "bad"], []]
    whole = frozen.word_vectors(texts, root, kind)
    for last in (0, 2, 9):
        for found, all_of_them in zip(frozen.word_vectors(texts, root, kind, last=last), whole, strict=True):
            np.testing.assert_array_equal(found, all_of_them[max(len(all_of_them) - last, 0) :])


def test_many_texts_come_back_in_their_order(root):
    """Over several batches, in which they stand by length."""
    texts = [" ".join(["good", "bad", "not", "!"][i % 4] for _ in range(1 + i % 50)) for i in range(300)]
    found = frozen.sentence_vectors(texts, root)
    for i in (0, 7, 49, 298):
        np.testing.assert_allclose(found[i], frozen.sentence_vectors([texts[i]], root)[0], atol=1e-5)


def test_batches_hold_every_row_once_and_no_more_tokens_than_allowed():
    lengths = np.random.default_rng(0).integers(2, 300, 500).tolist()
    batches = list(frozen._batches([*lengths, 5000]))
    assert sorted(row for rows in batches for row in rows) == list(range(501))
    assert all(len(rows) * max(lengths[row] for row in rows) <= frozen._TOKENS for rows in batches[1:])
    assert batches[0] == [500]


def test_glove_looks_up_lower_case_and_gives_zeros_for_what_it_lacks(root):
    first, second = frozen.word_vectors([["Movies", "zzz"], ["good"]], root, "glove")
    np.testing.assert_array_equal(first, [np.arange(50, 100), np.zeros(50)])
    np.testing.assert_array_equal(second, [np.arange(50)])


def test_a_missing_part_names_the_command(root):
    (root / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"vocab\.txt: is missing; \./run_all\.sh data get minilm"):
        frozen.sentence_vectors(["good"], root)
    with pytest.raises(InputError, match="known: glove, minilm"):
        frozen.word_vectors([["good"]], root, "elmo")


def test_files_are_compared_once_and_again_when_somebody_has_written_to_them(root, monkeypatch):
    part, asked = frozen.PARTS["glove_6b_50d"], []
    survey = type(part).survey
    monkeypatch.setattr(type(part), "survey", lambda *given: asked.append(1) or survey(*given))
    for _ in range(3):
        frozen.glove({"good"}, root)
    assert len(asked) == 1
    content = (root / "vectors.npy").read_bytes()
    (root / "vectors.npy").write_bytes(content[:-1] + b"x")
    for _ in range(2):
        with pytest.raises(InputError, match=r"vectors\.npy: has sha256 \w+, expected \w+; \./run_all\.sh data get"):
            frozen.glove({"good"}, root)
    assert len(asked) == 3


def test_the_second_time_nothing_is_computed(root, monkeypatch):
    before = frozen.sentence_vectors(["good movies"], root)
    monkeypatch.setattr(frozen, "_encoded", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(frozen.sentence_vectors(["good movies"], root), before)


def test_other_weights_are_another_entry_of_the_cache(root, monkeypatch):
    before = frozen.sentence_vectors(["good movies"], root)
    (root / "model.safetensors").write_bytes(b"WEIGHTS")
    monkeypatch.setitem(frozen.PARTS, "minilm", pinned("minilm", root, ("vocab.txt", "model.safetensors")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = MiniLM(vocab_size=len(PIECES), layers=2, feedforward=16, positions=frozen.LONGEST).eval()
    monkeypatch.setattr(frozen, "_network", lambda path: network)
    assert np.abs(frozen.sentence_vectors(["good movies"], root) - before).max() > 1e-3


def test_a_text_has_as_many_pieces_as_the_encoder_was_published_with(root):
    """256 with both marks, so 254 words."""
    (vectors,) = frozen.word_vectors([["good"] * 300], root, "minilm")
    assert np.flatnonzero(vectors.any(axis=1)).tolist() == list(range(254))


def test_a_layer_is_torchs_own_with_the_exact_gelu():
    """BERT's GELU is no approximation by tanh, which is 5e-4 away."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer, x = Layer(12, 3, 16).eval(), torch.randn(2, 5, 12)
        own = torch.nn.TransformerEncoderLayer(12, 3, 16, 0.0, "gelu", 1e-12, batch_first=True).eval()
    attention, stored = layer.attention, {}
    for kind in ("weight", "bias"):
        projections = [getattr(attention["self"][name], kind) for name in ("query", "key", "value")]
        stored |= {
            f"self_attn.in_proj_{kind}": torch.cat(projections),
            f"self_attn.out_proj.{kind}": getattr(attention["output"].dense, kind),
            f"norm1.{kind}": getattr(attention["output"].LayerNorm, kind),
            f"linear1.{kind}": getattr(layer.intermediate["dense"], kind),
            f"linear2.{kind}": getattr(layer.output.dense, kind),
            f"norm2.{kind}": getattr(layer.output.LayerNorm, kind),
        }
    own.load_state_dict(stored)
    padding = torch.arange(5) >= torch.tensor([[5], [3]])
    with torch.no_grad():
        found, expected = layer(x, padding), own(x, src_key_padding_mask=padding)
    torch.testing.assert_close(found[~padding], expected[~padding], atol=2e-6, rtol=0)


def test_the_released_encoder_gives_the_vector_of_another_implementation(real_root):
    """The first components in float64, by torch's own encoder layers with the released weights."""
    if RELEASED.survey(real_root).state != "present":
        pytest.skip("needs ./run_all.sh data get minilm")
    (found,) = frozen.sentence_vectors(["The weather is lovely today."], real_root)
    expected = [0.0191957, 0.1200854, 0.1595983, 0.0670659, 0.0500748, -0.0259187, 0.0564682, -0.0928578]
    np.testing.assert_allclose(found[:8], expected, atol=1e-5)


def test_the_released_encoder_gives_the_cosines_of_its_documentation(real_root):
    """To the four decimals that are printed there; float32 sums leave less."""
    if RELEASED.survey(real_root).state != "present":
        pytest.skip("needs ./run_all.sh data get minilm")
    eats, bread, girl = frozen.sentence_vectors(
        ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby."], real_root
    )
    np.testing.assert_allclose([eats @ bread, eats @ girl], [0.7553, -0.1050], atol=1e-4)
    lovely, sunny, drove = frozen.sentence_vectors(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."], real_root
    )
    np.testing.assert_allclose([lovely @ sunny, lovely @ drove, sunny @ drove], [0.6660, 0.1046, 0.1411], atol=1e-4)
