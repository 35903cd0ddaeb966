"""Tiny CLIP and BLIP-2 with vocabularies of words and image processors as they are published, comparing image files with texts."""

import torch
from blip2 import randomised
from common import FIXTURES, fresh_folder, randomise, write_json, write_provenance
from PIL import Image
from transformers import (BertTokenizer, Blip2Config, Blip2ForImageTextRetrieval, Blip2QFormerConfig, Blip2VisionConfig,
                          BlipImageProcessor, CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTextConfig, CLIPTokenizer,
                          CLIPVisionConfig)

SEED = 41
IMAGES = ["soft-444.jpg", "rgb.png", "noise.jpg"]
TEXTS = ["A RED cube, isn't it?", "a small blue ball", "\u00c9cole of na\u00efve cubes \u4e2d"]
VISION = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14)


def images():
    return [Image.open(FIXTURES / "image" / "files" / name).convert("RGB") for name in IMAGES]


def clip():
    folder = fresh_folder("retrieve", "clip")
    tokenizer = CLIPTokenizer.from_pretrained(FIXTURES / "tokenize" / "clip")
    text = CLIPTextConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, projection_dim=12,
                          vocab_size=len(tokenizer), max_position_embeddings=24, bos_token_id=tokenizer.bos_token_id,
                          eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    vision = CLIPVisionConfig(**VISION, projection_dim=12)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=12, attn_implementation="eager")
    model = randomise(CLIPModel(config), SEED)
    processor = CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    pixels = processor(images(), return_tensors="pt")["pixel_values"]
    out = model(**tokenizer(TEXTS, padding=True, return_tensors="pt"), pixel_values=pixels)
    save(folder, model, tokenizer, processor, {"similarities": (out.image_embeds @ out.text_embeds.T).tolist()})


def blip2():
    folder = fresh_folder("retrieve", "blip2")
    tokenizer = BertTokenizer.from_pretrained(FIXTURES / "tokenize" / "bert")
    config = Blip2Config(
        vision_config=Blip2VisionConfig(**VISION).to_dict(),
        qformer_config=Blip2QFormerConfig(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
                                          vocab_size=len(tokenizer) + 1, max_position_embeddings=32,
                                          use_qformer_text_input=True).to_dict(),
        num_query_tokens=4, image_text_hidden_size=12, attn_implementation="eager")
    model = randomised(Blip2ForImageTextRetrieval(config), SEED)
    processor = BlipImageProcessor(size={"height": 28, "width": 28})
    pixels = processor(images(), return_tensors="pt")["pixel_values"]
    asked = [tokenizer(text, return_tensors="pt") for text in TEXTS]

    def each(matching):
        ask = lambda image, text: model(pixel_values=image, input_ids=text.input_ids, attention_mask=text.attention_mask,
                                        use_image_text_matching_head=matching).logits_per_image[0]
        return [[ask(image[None], text) for text in asked] for image in pixels]

    expected = {
        "similarities": [[value.item() for value in row] for row in each(False)],
        "matches": [[value.softmax(-1)[1].item() for value in row] for row in each(True)],
    }
    save(folder, model, tokenizer, processor, expected)


def save(folder, model, tokenizer, processor, expected):
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    write_json(folder / "expected.json", {"images": IMAGES, "texts": TEXTS, **expected})
    write_provenance(folder, __file__, SEED)


if __name__ == "__main__":
    with torch.no_grad():
        clip()
        blip2()
