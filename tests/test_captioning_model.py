"""The captioner's parts: vocabulary, preprocessing, encoder and decoder."""

import numpy as np
import pytest
import torch
from torchvision.models import resnet50

from captioning.decoder import Decoder, DecoderConfig
from captioning.encoder import Encoder, fold_batch_norm
from captioning.engine.in_torch import spoken
from captioning.engine.preprocessing import Preprocessing
from captioning.ensemble import AnyDecoder, DecoderEnsemble
from captioning.vocabulary import END, START, UNKNOWN, Vocabulary, join_words, tokenize


def test_tokenize_and_join() -> None:
    words = tokenize("A man's T-shirt doesn\u2019t fit , the dogs' bowl is 2/3 full !")
    assert " ".join(words) == "a man 's t-shirt doesn't fit the dogs bowl is 2 3 full"
    assert join_words(["a", "man", "'s", "hat"]) == "a man's hat"


def test_vocabulary_keeps_frequent_words_and_round_trips(tmp_path) -> None:
    vocabulary = Vocabulary.build({"runs": 1, "dog": 2, "cat": 1, "a": 3}, min_count=2)
    assert vocabulary.words[4:] == ["a", "dog"]
    assert vocabulary.encode(["a", "cat"]) == [4, UNKNOWN]
    assert vocabulary.decode([START, 4, 5, END, 4]) == ["a", "dog"]
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json").words == vocabulary.words
    with pytest.raises(ValueError, match="must begin with"):
        Vocabulary(["a", "dog"])


@pytest.mark.parametrize("shape", [(300, 200, 3), (60, 400, 3), (32, 32, 3), (224, 224, 3)])
def test_preprocessing_squashes_any_photo(shape: tuple[int, int, int]) -> None:
    preprocessing = Preprocessing()
    image = np.full(shape, (255, 0, 128), np.uint8)
    batch = preprocessing.normalise(torch.from_numpy(preprocessing.squash(image))[None])
    assert batch.shape == (1, 3, 224, 224)
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, (128 / 255 - 0.406) / 0.225]
    assert torch.allclose(batch.mean((0, 2, 3)), torch.tensor(expected), atol=1e-4)
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing


@pytest.mark.parametrize("strides", ["v1", "v1.5"])
def test_encoder_is_the_resnet_with_batch_norm_folded(strides: str) -> None:
    torch.manual_seed(0)
    reference = resnet50(weights=None).eval()
    for name, buffer in reference.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2)
        elif name.endswith("running_mean"):
            buffer.normal_(0, 0.1)
    for stage in (reference.layer2, reference.layer3, reference.layer4):
        if strides == "v1":
            stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    reference.fc = torch.nn.Identity()
    encoder = Encoder(strides)
    encoder.load_state_dict(fold_batch_norm(reference.state_dict()))
    images = torch.randn(2, 3, 96, 96)
    with torch.inference_mode():
        grid, pooled = encoder(images), reference(images)
    assert grid.shape == (2, 3, 3, 2048) and (grid >= 0).all()
    assert torch.allclose(grid.mean((1, 2)), pooled, rtol=1e-3, atol=1e-3 * float(pooled.max()))


def test_decoders_together_say_what_all_of_them_find_likely() -> None:
    torch.manual_seed(0)
    config = DecoderConfig(30, grid_channels=16, embed_size=32, heads=4)
    one, other = Decoder(config).eval(), Decoder(config).eval()
    grid, words = torch.rand(2, 2, 2, 16), torch.randint(4, 30, (2, 3, 5))

    def log_probabilities(decoder: AnyDecoder) -> torch.Tensor:
        return spoken(decoder(decoder.read(grid), words))

    with torch.inference_mode():
        alone = log_probabilities(one)
        assert torch.allclose(log_probabilities(DecoderEnsemble([one, one])), alone, atol=1e-5)
        product = alone + log_probabilities(other)
        both = log_probabilities(DecoderEnsemble([one, other]))
        assert torch.allclose(both, (product / 2).log_softmax(-1), atol=1e-5)
    with pytest.raises(ValueError, match="2 shapes"):
        DecoderEnsemble([one, Decoder(DecoderConfig(31, grid_channels=16, embed_size=32))])


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("attention", [True, False])
def test_steps_give_what_the_one_call_gives(attention: bool, together: int) -> None:
    torch.manual_seed(0)
    config = DecoderConfig(30, grid_channels=16, embed_size=32, heads=4, attention=attention)
    several = [Decoder(config) for _ in range(together)]
    decoder = (DecoderEnsemble(several) if together > 1 else several[0]).eval()
    words = torch.randint(4, 30, (2, 3, 5))
    photos = decoder.read(torch.rand(2, 2, 2, 16))
    with torch.inference_mode():
        at_once, weights = decoder.explain(photos, words)
        state = decoder.start(photos.repeat(3))
        for place in range(5):
            logits, state = decoder.step(photos, state, words[..., place].flatten())
            assert torch.allclose(logits, at_once[:, :, place].flatten(0, 1), atol=1e-5)
        where = words > 9
        assert torch.allclose(decoder(photos, words, where), at_once[where], atol=1e-6)
    if attention:
        assert weights is not None and weights.shape == (2, 3, 5, 4)
        assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 5), atol=1e-5)
    else:
        assert weights is None


def test_a_decoder_takes_over_one_that_knows_fewer_words() -> None:
    few = Decoder(DecoderConfig(6, grid_channels=8, embed_size=16, heads=2)).eval()
    more = Decoder(DecoderConfig(9, grid_channels=8, embed_size=16, heads=2)).eval()
    vectors = more.words.weight[6:].clone()
    more.take(few)
    grid, words = torch.randn(1, 4, 8), torch.tensor([[[1, 4, 5]]])
    known = few(few.read(grid), words)
    torch.testing.assert_close(more(more.read(grid), words)[..., :6], known)
    assert torch.equal(more.words.weight[6:], vectors)
    assert (more.output_bias[6:] == few.output_bias.min()).all()
    vocabulary = Vocabulary.build({"a": 2, "dog": 1})
    assert vocabulary.grown(["cat", "a"]).words == [*vocabulary.words, "cat"]
