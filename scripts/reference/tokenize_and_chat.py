"""Reference values for src/data/tokenize and src/data/chat, from transformers and tokenizers.

    python scripts/reference/tokenize_and_chat.py corpus   # corpus.txt and the byte-level tokenizer
    npx vitest run src/data/tokenize -u           # the vocabulary that tessera trains on that corpus
    python scripts/reference/tokenize_and_chat.py golden   # ids, offsets, decoded text, prompts, masks, labels
"""

import itertools
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, BertTokenizer, CLIPTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "test" / "fixtures"
TEMPLATES = ROOT / "src" / "data" / "chat" / "templates"

TEXTS = [
    "a red cube",
    "A small blue ball is left of the red cube.",
    "What is there?\nThere are 12 cubes, 3 balls.",
    "two  spaces and   three",
    "tab\there",
    "caf\u00e9 \u00fcber na\u00efve \u4e2d\u6587 \U0001f600\U0001f680 end",
    "ends with space ",
    "\nstarts with a newline",
    "USER: is it red? ASSISTANT:",
    "don't it's we'll",
    "\u201cquoted\u201d \u2014 dash\u2026",
    "x" * 40,
    "cafe\u0301 u\u0308ber A\u030a \u212b s\u0323\u0307 e\u0328\u0301x",
    "\u1112\u1161\u11ab\u1100\u1173\u11af \ud55c\uae00 \uac00\u11a8",
]


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=True, indent=1) + "\n")


def corpus():
    colours, shapes, places = ["red", "blue", "green"], ["cube", "ball", "cone"], ["left", "right"]
    lines = []
    for (c1, c2), (s1, s2), place in itertools.product(
        itertools.permutations(colours, 2), itertools.permutations(shapes, 2), places
    ):
        lines.append(f"A {c1} {s1} is {place} of the {c2} {s2}.")
        lines.append(f"USER: What is {place} of the {c2} {s2}? ASSISTANT: There is a {c1} {s1}.")
    lines.append(
        "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
        "detailed, and polite answers to the user's questions."
    )
    folder = FIXTURES / "tokenize"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.txt").write_text("\n".join(lines) + "\n")

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    (folder / "byte-level").mkdir(exist_ok=True)
    tokenizer.save(str(folder / "byte-level" / "tokenizer.json"))
    config = {
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    write_json(folder / "byte-level" / "tokenizer_config.json", config)


def legacy_layout():
    """The tiny vocabulary with the normalizer that older LLaMA folders have in place of the pre-tokenizer."""
    source, target = FIXTURES / "tokenize" / "tiny", FIXTURES / "tokenize" / "prepend"
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"] = None
    prepend = {"type": "Prepend", "prepend": "\u2581"}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    tokenizer["normalizer"] = {"type": "Sequence", "normalizers": [prepend, replace]}
    config = json.loads((source / "tokenizer_config.json").read_text())
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_json(target / "tokenizer.json", tokenizer)
    write_json(target / "tokenizer_config.json", config)


def words_layouts():
    """Vocabularies that lose spaces and case: byte pairs with a suffix on the last of a word (CLIP), and WordPiece (BERT)."""
    lines = (FIXTURES / "tokenize" / "corpus.txt").read_text().splitlines()
    letters = pre_tokenizers.ByteLevel.alphabet()
    pairs = CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 1}, merges=[]).backend_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=360, initial_alphabet=letters, end_of_word_suffix="</w>", show_progress=False
    )
    pairs.train_from_iterator(lines, trainer)
    trained = json.loads(pairs.to_str())["model"]
    pieces = [*sorted(letters), *[f"{letter}</w>" for letter in sorted(letters)]]
    pieces += [left + right for left, right in trained["merges"] if left + right not in pieces]
    pieces += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    clip = CLIPTokenizer(vocab=vocab, merges=[tuple(merge) for merge in trained["merges"]])
    clip.save_pretrained(FIXTURES / "tokenize" / "clip")

    normal = BertTokenizer().backend_tokenizer
    words = {word for line in lines for word, _ in normal.pre_tokenizer.pre_tokenize_str(normal.normalizer.normalize_str(line))}
    ascii_letters = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *ascii_letters, *[f"##{c}" for c in ascii_letters if c.isalnum()]]
    pieces += sorted(words - set(pieces)) + ["##ing", "##s\u0131"]
    bert = BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    bert.save_pretrained(FIXTURES / "tokenize" / "bert")


WORD_TEXTS = [
    "A Photo of a RED cube, isn't it?",
    "\u00c9cole \u0130stanbul \u039f\u03b4\u03cc\u03c2 \u1e9e stra\u00dfe \ufb01ne",
    "\u4e2d\u56fd cube\u4e2dball",
    "a\u200bb\u0000c\ufffdd \u00a0 e\u3000f\u2028g",
    "red-cube/ball_3.5 $5 100% <b> [x] ## ##s",
    "unknownword " + "y" * 101 + " ball",
    "<|ENDOFTEXT|> </w> ball</w>",
    "we'll They'VE it's",
    "",
    "   ",
]


def words_golden():
    """Ids and offsets as transformers' own classes give them, for texts that spell no special token."""
    for name, kind in [("clip", CLIPTokenizer), ("bert", BertTokenizer)]:
        tokenizer = kind.from_pretrained(FIXTURES / "tokenize" / name)
        tokenizer.backend_tokenizer.encode_special_tokens = True
        cases = []
        for text in TEXTS + WORD_TEXTS:
            out = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            offsets = [[utf16(text, a), utf16(text, b)] for a, b in out["offset_mapping"]]
            opened = tokenizer(text)["input_ids"]
            decoded = tokenizer.decode(out["input_ids"], clean_up_tokenization_spaces=False)
            case = {"text": text, "ids": out["input_ids"], "offsets": offsets, "opened": opened, "decoded": decoded}
            cases.append(case)
        write_json(FIXTURES / "tokenize" / f"{name}.json", {"size": len(tokenizer), "cases": cases})


def utf16(text, offset):
    return len(text[:offset].encode("utf-16-le")) // 2


def encode_golden(name):
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / "tokenize" / name)
    image = "<image>\n"
    trusted = [f"USER: {image}What is it? ASSISTANT: a cube", f"{image}a red cube", "a cube<image>"]
    if tokenizer.eos_token:
        trusted.append(f"a cube{tokenizer.eos_token}USER: what?{tokenizer.eos_token}")
    cases = []
    for text, special in [(t, False) for t in TEXTS] + [(t, True) for t in trusted]:
        out = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = [[utf16(text, a), utf16(text, b)] for a, b in out["offset_mapping"]]
        cases.append(
            {
                "text": text,
                "special": special,
                "ids": out["input_ids"],
                "offsets": offsets,
                "decoded": tokenizer.decode(out["input_ids"]),
                "skipped": tokenizer.decode(out["input_ids"], skip_special_tokens=True),
                "opened": tokenizer(text)["input_ids"],
            }
        )
    write_json(FIXTURES / "tokenize" / f"{name}.json", {"size": len(tokenizer), "cases": cases})


ADDED = [
    {"content": "<obj>", "normalized": True},
    {"content": "<seg>", "normalized": False},
    {"content": "<pt>", "normalized": False, "lstrip": True, "rstrip": True},
    {"content": "<left>", "normalized": True, "lstrip": True},
    {"content": "<right>", "normalized": True, "rstrip": True},
    {"content": "zone", "normalized": True, "single_word": True},
    {"content": "ball", "normalized": False, "single_word": True},
    {"content": "<seg>2", "normalized": False},
    {"content": "<mark>", "normalized": False, "special": True, "rstrip": True},
]

ADDED_TEXTS = [
    "What is <obj> ?",
    "<obj>",
    "a<obj>b <obj><obj>",
    "The <obj> is red <seg>.",
    "<seg> red<seg>cube <seg>22 <seg>2",
    "What is  <pt>  there ?",
    "<pt><pt> a <pt>",
    "red \n<left> \n cube<left>",
    "red <right>  cube <right>",
    "a zone, zones, ozone zone",
    "zone",
    "a ball balls (ball) _ball ball2",
    "caf\u00e9zone zone\u00e9 \u4e2dball ball",
    "tab\t<pt>\there \u00a0<pt>\u3000x",
    "the <mark>  red <mark> cube",
]


# Words and letters that a normalizer with a space in front changes, so that they are found at few places alone.
LETTERS = [{"content": content, "normalized": True} for content in ["\u4e2d", "\u56fd\u4eba", "\u00e9", "Q", "\n", "\t"]]


def letter_texts():
    pick = random.Random(7)
    parts = ["\u4e2d", "\u56fd\u4eba", "\u56fd", "\u00e9", "Q", "\n", "\t", " ", "  ", "a", "red", "cube", "\u4e2d\u56fd\u4eba"]
    drawn = ["".join(pick.choice(parts) for _ in range(pick.randint(1, 9))) for _ in range(120)]
    # A space at the beginning has no one place: the normalizer's own and the text's are alike.
    return list(dict.fromkeys(["a\u4e2db", "a\u00e9", "aQ Q", "\t", "\n", *(text.lstrip(" ") for text in drawn if text.strip(" "))]))


def added_case(tokenizer, text):
    encoding = tokenizer.encode(text, add_special_tokens=False)
    offsets = [[utf16(text, a), utf16(text, b)] for a, b in encoding.offsets]
    decoded = tokenizer.decode(encoding.ids, skip_special_tokens=False)
    return {"text": text, "ids": encoding.ids, "offsets": offsets, "decoded": decoded}


def write_lines(name, value):
    text = json.dumps(value, ensure_ascii=True).replace('{"text"', '\n{"text"').replace('{"layout"', '\n{"layout"')
    (FIXTURES / "tokenize" / name).write_text(text + "\n")


def added_golden():
    """Ids and offsets under added tokens with every rule, as a user's text and as a template's."""
    out = []
    sets = [(ADDED, ADDED_TEXTS), (LETTERS, letter_texts())]
    for (chosen, texts), layout in itertools.product(sets, ["tiny", "prepend", "byte-level"]):
        tokenizer = Tokenizer.from_file(str(FIXTURES / "tokenize" / layout / "tokenizer.json"))
        tokens = [AddedToken(**token) for token in chosen]
        tokenizer.add_special_tokens([token for token in tokens if token.special])
        tokenizer.add_tokens([token for token in tokens if not token.special])
        tokenizer.encode_special_tokens = True
        added = [t for t in json.loads(tokenizer.to_str())["added_tokens"] if t["content"] in {a["content"] for a in chosen}]
        out.append({"layout": layout, "added": added, "cases": [added_case(tokenizer, text) for text in texts]})
    write_lines("added.json", out)


# Special tokens that are looked for in normalized text, as a template writes them.
MARKED = [
    {"content": "<mark>", "normalized": True, "special": True},
    {"content": "<end>", "normalized": True, "special": True, "lstrip": True, "rstrip": True},
    {"content": "<cut>", "normalized": False, "special": True},
    {"content": "<obj>", "normalized": True},
]

MARKED_TEXTS = [
    "a<mark>b",
    "a <mark> b",
    "<mark>red cube<mark>",
    "<mark><mark> <mark>",
    "red <end>  cube<end> ball <end>",
    "<cut>a <mark> a<cut>red<mark> b",
    "a <obj><mark> <obj> <mark>",
    "red<mark>\u0338 cube",
    "cafe\u0301 <mark>e\u0301 <mark>",
    "red\n<mark>\ncube <mark>\n",
]


def marked_golden():
    out = []
    for layout in ["tiny", "prepend", "byte-level"]:
        tokenizer = Tokenizer.from_file(str(FIXTURES / "tokenize" / layout / "tokenizer.json"))
        tokens = [AddedToken(**token) for token in MARKED]
        tokenizer.add_special_tokens([token for token in tokens if token.special])
        tokenizer.add_tokens([token for token in tokens if not token.special])
        names = {token["content"] for token in MARKED}
        added = [token for token in json.loads(tokenizer.to_str())["added_tokens"] if token["content"] in names]
        out.append({"layout": layout, "added": added, "cases": [added_case(tokenizer, text) for text in MARKED_TEXTS]})
    write_lines("marked.json", out)


CONVERSATIONS = [
    [("user", "What is left of the red cube?"), ("assistant", "There is a blue ball.")],
    [
        ("user", "What is there?"),
        ("assistant", "A green cone."),
        ("user", "Is it red?"),
        ("assistant", "No, it is not red.\nIt is green."),
        ("user", "2 cubes?"),
        ("assistant", "3 cubes"),
    ],
    [("user", "Is there a zebra?"), ("assistant", "\u201cNo\u201d, said nobody."), ("user", "Why?"), ("assistant", "Because.")],
]


def hf_messages(conversation, with_image):
    messages = []
    for i, (role, text) in enumerate(conversation):
        parts = [{"type": "text", "text": text}]
        if with_image and i == 0:
            parts.insert(0, {"type": "image"})
        messages.append({"role": role, "content": parts})
    return messages


def v1_labels(tokenizer, conversation, with_image, system):
    """The label rule of the v1 templates as the original trainer counts it, one `<image>` id for a picture."""
    bos = tokenizer.bos_token_id

    def tok(text):
        pieces = [tokenizer(piece, add_special_tokens=False).input_ids for piece in text.split("<image>")]
        ids = [bos] + pieces[0]
        for piece in pieces[1:]:
            ids += [tokenizer.convert_tokens_to_ids("<image>")] + piece
        return ids

    prompt = system + " "
    for i, (role, text) in enumerate(conversation):
        value = f"<image>\n{text}" if with_image and i == 0 else text
        prompt += f"USER: {value} " if role == "user" else f"ASSISTANT: {value}</s>"
    ids = tok(prompt)
    labels = list(ids)
    labels[0] = -100
    at = 1
    for round_text in prompt.split("</s>"):
        if round_text == "":
            break
        question, _ = round_text.split("ASSISTANT: ")
        round_length = len(tok(round_text))
        instruction = len(tok(question + "ASSISTANT: ")) - 2
        labels[at : at + instruction] = [-100] * instruction
        at += round_length
    labels[at:] = [-100] * (len(labels) - at)
    assert at == len(ids), "the rule's own length check"
    return ids, labels


def plain_labels(tokenizer, caption):
    image = tokenizer.convert_tokens_to_ids("<image>")
    ids = [tokenizer.bos_token_id, image] + tokenizer(caption + "\n", add_special_tokens=False).input_ids
    return ids, [-100, -100] + ids[2:]


def chat_golden():
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / "tokenize" / "tiny")
    rendered, labels = [], []
    for name in ["plain", "llava-v0", "llava-v1", "llava-1.5"]:
        template = (TEMPLATES / f"{name}.jinja").read_text()
        for conversation, with_image in itertools.product(CONVERSATIONS, [True, False]):
            messages = hf_messages(conversation, with_image)
            text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
            out = tokenizer.apply_chat_template(
                messages, chat_template=template, return_assistant_tokens_mask=True, return_dict=True
            )
            prompt = tokenizer.apply_chat_template(
                messages[:-1], chat_template=template, tokenize=False, add_generation_prompt=True
            )
            rendered.append(
                {
                    "template": name,
                    "messages": messages,
                    "text": text,
                    "prompt": prompt,
                    "ids": out["input_ids"],
                    "mask": out["assistant_masks"],
                }
            )
    for name, who in [("llava-v1", "human"), ("llava-1.5", "user")]:
        system = (
            f"A chat between a curious {who} and an artificial intelligence assistant. "
            f"The assistant gives helpful, detailed, and polite answers to the {who}'s questions."
        )
        for conversation, with_image in itertools.product(CONVERSATIONS, [True, False]):
            ids, target = v1_labels(tokenizer, conversation, with_image, system)
            messages = hf_messages(conversation, with_image)
            labels.append({"template": name, "messages": messages, "ids": ids, "labels": target})
    for caption in ["a red cube left of a blue ball", "\u201cquoted\u201d caption", "A cone."]:
        ids, target = plain_labels(tokenizer, caption)
        messages = hf_messages([("user", "Describe."), ("assistant", caption)], True)
        labels.append({"template": "plain", "messages": messages, "ids": ids, "labels": target})
    write_json(FIXTURES / "chat" / "rendered.json", rendered)
    write_json(FIXTURES / "chat" / "labels.json", labels)


CHATML = ["<|im_start|>", "<|im_end|>"]
LLAMA_3 = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
# Of each family: special tokens beside the tiny vocabulary's, the end of an answer, and whether sequences open with <s>.
FAMILIES = {
    "vicuna": ([], "</s>", True),
    "mistral": ([], "</s>", True),
    "llama-2": ([], "</s>", True),
    "llama-3": (LLAMA_3, "<|eot_id|>", True),
    "qwen-1.5": (CHATML, "<|im_end|>", False),
    "qwen-2": (CHATML, "<|im_end|>", False),
    "qwen-2.5": (CHATML, "<|im_end|>", False),
    "qwen-3": (CHATML, "<|im_end|>", False),
    "phi-3": (["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"], "<|end|>", False),
    "gemma-2": (["<start_of_turn>", "<end_of_turn>"], "<end_of_turn>", True),
    "smollm2": (CHATML, "<|im_end|>", False),
    "zephyr": ([], "</s>", True),
    "chatml": (CHATML, "<|im_end|>", False),
    "chatml-bos": (CHATML, "<|im_end|>", True),
    "chatml-unprompted": (CHATML, "<|im_end|>", False),
}
# The tokenizers of these families name the end of a turn as their end of sequence; the others have </s>.
TURN_IS_EOS = {"qwen-1.5", "qwen-2", "qwen-2.5", "qwen-3", "smollm2", "chatml", "chatml-bos", "chatml-unprompted"}

TALK = [
    ("user", "What is left of the red cube?"),
    ("assistant", "A blue ball."),
    ("user", "Is it red?"),
    ("assistant", "No, it is not."),
    ("user", "And right?"),
    ("assistant", "There is\na cone!"),
    ("user", "2 cubes?"),
    ("assistant", "3 of them"),
]


def family_tokenizer(name):
    specials, end, opens = FAMILIES[name]
    tokenizer = AutoTokenizer.from_pretrained(FIXTURES / "tokenize" / "tiny")
    tokenizer.add_special_tokens({"additional_special_tokens": specials})
    if name in TURN_IS_EOS:
        tokenizer.eos_token = end
    return tokenizer, end, opens


def family_case(tokenizer, end, opens, template, messages):
    """Ids as transformers' processors make them: the opening token comes first unless the template prints it."""

    def ids_of(text):
        out = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        prefix = [tokenizer.bos_token_id] if opens and not text.startswith(tokenizer.bos_token) else []
        return prefix + out["input_ids"], [(0, 0)] * len(prefix) + out["offset_mapping"]

    text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    prompt = tokenizer.apply_chat_template(messages[:-1], chat_template=template, tokenize=False, add_generation_prompt=True)
    if not opens or text.startswith(tokenizer.bos_token):
        own = tokenizer.apply_chat_template(messages, chat_template=template, return_dict=True)["input_ids"]
        assert own == ids_of(text)[0]
    ids, offsets = ids_of(text)
    mask, at = [0] * len(ids), 0
    for i, message in enumerate(messages):
        at = text.index(message["content"], at)
        stop = at + len(message["content"])
        if message["role"] == "assistant":
            # White space between the prompt and the answer is the model's to write.
            asked = tokenizer.apply_chat_template(
                messages[:i], chat_template=template, tokenize=False, add_generation_prompt=True
            )
            at = len(asked) if text.startswith(asked) and text[len(asked) : at].strip() == "" else at
            # The end token closes the answer when nothing but white space lies between.
            close = text.find(end, stop)
            if close >= 0 and text[stop:close].strip() == "":
                stop = close + len(end)
            mask = [int(m or (a < stop and b > at)) for m, (a, b) in zip(mask, offsets)]
        at = stop
    return {"ids": ids, "mask": "".join(map(str, mask)), "promptIds": ids_of(prompt)[0]}


def families_golden():
    out = []
    for name, (specials, end, opens) in FAMILIES.items():
        tokenizer, end, opens = family_tokenizer(name)
        template = (FIXTURES / "chat" / "families" / f"{name}.jinja").read_text()
        cases = []
        for system, turns in itertools.product([False, True], [1, 2, 3, 4]):
            if system and name == "gemma-2":
                continue
            talk = ([("system", "Be brief.")] if system else []) + TALK[: 2 * turns]
            messages = [{"role": role, "content": content} for role, content in talk]
            cases.append({"system": system, "turns": turns, **family_case(tokenizer, end, opens, template, messages)})
        out.append({"name": name, "specials": specials, "eos": tokenizer.eos_token, "end": end, "opens": opens, "cases": cases})
    text = json.dumps({"talk": TALK, "families": out}, ensure_ascii=True, separators=(",", ":"))
    text = text.replace('{"system"', '\n{"system"').replace('{"name"', '\n{"name"')
    (FIXTURES / "chat" / "families.json").write_text(text + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["corpus"]:
        corpus()
    elif sys.argv[1:] == ["golden"]:
        legacy_layout()
        for layout in ["tiny", "prepend", "byte-level"]:
            encode_golden(layout)
        added_golden()
        marked_golden()
        chat_golden()
        families_golden()
        words_layouts()
        words_golden()
    else:
        sys.exit(__doc__)
