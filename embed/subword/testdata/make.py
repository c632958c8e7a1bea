"""Makes the tokenizer.json files of this directory and what the reference
implementation says of them.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3
    python make.py

Each file tokenizer.json of cases/ has the shape of one family of embedding
models and a small vocabulary trained on the sentences below. golden.jsonl.gz
holds, for every file and text, the ids and byte ranges of the reference.
"""

import base64, bz2, gzip, io, json, os, random, tempfile

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as model_pb2
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))

SENTENCES = """
The lighthouse keeper counts the ships that pass before dawn, and writes their names in a grey book.
Nobody had asked the river where it wanted to go; it went downhill, as rivers do.
Seven hundred and twelve lanterns hung above the market, and every one of them was lit by hand.
She repaired the old radio with a piece of copper wire, two buttons and a great deal of patience.
A commit is a promise: what it says today it will say tomorrow, whatever happens to the branches.
They're sure it's what we've wanted; I'd say they'll find that he's not, don't you?
Prices rose by 3.5% in 2019, fell by 12,000 units in 2020 and stood at 1,234,567.89 at the end.
The planet Kamino has oceans, storms and tall grey people who make clones in bright white halls.
Translate, tokenize, normalise, index, search; unindexed data is never missed, tokenization matters.
Email the keeper (keeper@example.org) or look at https://example.org/search?q=ships&n=10 tonight.
def split(text, window=512, overlap=73): return [text[i:i+window] for i in range(0, len(text), window-overlap)]
Der Leuchtturmwärter zählt die Schiffe, die vor der Dämmerung vorüberfahren, und schreibt größere Namen auf.
Straße, Äpfel, Öfen und Übermut: süße Wörter für müde Füße.
Le gardien du phare compte les navires à l'aube; où était-il, l'été dernier, près de la forêt?
El niño pequeño comió piñas mañana y mañana; ¿quién sabe cuándo dejará de correr?
Żółw przeszedł przez łąkę, a źrebię piło wodę ze źródła.
Çiğdem İstanbul'da ıslak bir gün geçirdi; şimşek çaktı.
Смотритель маяка считает корабли, которые проходят перед рассветом, и записывает их имена.
Ёжик ушёл в туман, а его друг ещё долго звал его.
Ο φύλακας του φάρου μετράει τα πλοία που περνούν πριν από την αυγή και γράφει τα ονόματά τους.
Οδυσσεύς, ο σοφός βασιλεύς, ταξίδεψε σε όλες τις θάλασσες.
灯台守は夜明け前に通る船を数え、その名前を灰色の本に書きます。
東京タワーはとても高いです。カタカナとひらがなと漢字。
守灯塔的人在黎明前数过往的船只，并把它们的名字写在一本灰色的书里。
등대지기는 새벽이 오기 전에 지나가는 배를 세고 그 이름을 회색 책에 적는다.
يعد حارس المنارة السفن التي تمر قبل الفجر ويكتب أسماءها في كتاب رمادي.
שומר המגדלור סופר את האוניות שעוברות לפני עלות השחר.
ผู้ดูแลประภาคารนับเรือที่ผ่านไปก่อนรุ่งสาง
दीपस्तंभ का रखवाला भोर से पहले गुज़रने वाले जहाज़ों को गिनता है।
Người gác hải đăng đếm những con tàu đi qua trước bình minh.
The family 👨‍👩‍👧‍👦 waved 👋🏽 at the ship 🚢; flags 🇳🇱🇯🇵 flew. Naïve café, coöperate, façade.
""".strip().split("\n")

TEXTS = SENTENCES + [
    "", " ", "   ", "\n", "\t\n\r ", "a", " a", "a ", "  a  b  ", "hello world", "Hello,world!", "HELLO WORLD",
    "it's 'quoted' \"double\" ``ticks'' — dash… ellipsis", "''", "``", "a''b``c",
    "3 33 333 3333 33333", "1/2 ½ ⅔ ² ³ ① Ⅷ ㎏ ℃ ™ ﬁ ﬂ ﬀ", "ＦＵＬＬｗｉｄｔｈ　ｓｐａｃｅ", "ｶﾞｷﾞｸﾞ ﾊﾟﾋﾟ ｱｲｳ",
    "e\u0301 o\u0308\u0323 a\u030a\u0301 n\u0303", "é ö å ñ ǆ ŉ ſ ẞ", "\u0301leading mark", "Ω Å K ℵ",
    "각나다라 한국어 \u1100\u1161\u11a8", "ÀÉÎÕÜ àéîõü ÇŞĞ İı", "ΟΔΥΣΣΕΥΣ ΣΑΣ Σ", "東京東京 漢字かな交じり文",
    "<s> </s> <mask> <unk> <pad>", "a<mask>b a <mask> b", "[CLS] [SEP] [MASK] [UNK] [PAD] x[SEP]y", "<|endoftext|> x<|endoftext|>y",
    "tab\tseparated\tvalues", "line one\nline two\r\n\r\nline three\n\n\n", "trailing newline\n", "   leading", "x  y   z    w",
    "nbsp\u00a0here thin\u2009space zero\u200bwidth bom\ufeff soft\u00adhyphen ideo\u3000graphic", "line\u2028sep para\u2029sep nel\u0085end",
    "control \x00 null \x01 one \x7f del \x1b escape", "\x10start", "T\x10his \x10\t \n", "private \ue000 unassigned \u0378 noncharacter \uffff",
    "👨‍👩‍👧‍👦👋🏽🇳🇱🇯🇵❤️🔥1️⃣", "👨‍👩‍👧‍👦 family", "𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𝔸𝕓𝕔 𐍈 𠀀𠀁", "\u202eright to left\u202c", "क्षत्रिय श्री ज्ञ", "ไทย ภาษา", "ﷺ ﷲ", "ʼn don\u2019t \u2018q\u2019 \u201cd\u201d",
    "▁metaspace ▁▁two", "a▁b", "▁", " ▁", "##hash ##ing", "Ġgpt Ċ", "<0x0A> <0xE2>", "x" * 120, "ab" * 60 + " " + "é" * 101, "word " * 40,
    "supercalifragilisticexpialidocious antidisestablishmentarianism", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!!!???...,,,;;;:::", "((([[[{{{<<<>>>}}}]]])))",
    "snake_case camelCase PascalCase kebab-case", "C:\\path\\to\\file.txt", "$100 €200 £300 ¥400 ₿5", "a+b=c*d^e~f|g`h", "#tag @user 50% & more",
    "she'll they'Re WE'VE i'M It'D", "don't can't won't shan't", "\u1e9b\u0323 \u0390 \u03b0", "Å\u0301Å\u0301", "\u0041\u030a",
]


def noise(rng):
    """A text of characters that tokenizers find hard."""
    pools = [
        "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "     ", "\t\n\r\u00a0\u3000\u2009\u0085", ".,;:!?'\"-_()[]{}<>@#$%^&*+=/\\|~`",
        "àéîõüçşğżółäöüßñ", "ÀÉÎÕÜÇŞĞŻÓŁÄÖÜẞÑİ", "абвгдёжзий", "αβγδεΣσς", "東京漢字船書守", "かきくカキク゛゜", "등대지기한국", "\u0301\u0308\u0323\u20dd\u0483", "שומרيعد",
        "👨👩👧🏽🇳🇱❤\u200d\ufe0f", "½²ﬁＡｂ１℃㎏ｶﾞ", "\u0000\u0001\u007f\u200b\ufeff\u00ad\ue000\ufffd", "▁Ġ#<>0x", "कषतरय्ि",
    ]
    out = []
    while len(out) < rng.randint(1, 60):
        out += rng.choices(rng.choice(pools), k=rng.randint(1, 6))
    return "".join(out)


def charsmap(**options):
    """The character map that sentencepiece compiles for a normalisation."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "t.txt")
        with open(path, "w") as f:
            f.write("\n".join(SENTENCES))
        if "rules" in options:
            tsv = os.path.join(d, "rules.tsv")
            with open(tsv, "w") as f:
                for a, b in options["rules"].items():
                    f.write(" ".join("%X" % ord(c) for c in a) + "\t" + " ".join("%X" % ord(c) for c in b) + "\n")
            options = {"normalization_rule_tsv": tsv}
        spm.SentencePieceTrainer.train(input=path, model_prefix=os.path.join(d, "m"), vocab_size=400, hard_vocab_limit=False, minloglevel=2, **options)
        m = model_pb2.ModelProto()
        with open(os.path.join(d, "m.model"), "rb") as f:
            m.ParseFromString(f.read())
        return m.normalizer_spec.precompiled_charsmap


def precompiled(blob):
    return normalizers.Precompiled(blob)


def build():
    small = charsmap(rules={"\u3000": " ", "\u00a0": " ", "\t": " ", "\n": " ", "\u200b": " ", "\u00ad": "", "ﬁ": "fi", "½": "1\u20442", "e\u0301": "é", "ｶ\uff9e": "ガ", "…": "..."})
    nfkc = charsmap(normalization_rule_name="nmt_nfkc")
    gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    qwen = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    llama = qwen.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
    specials = ["<s>", "<pad>", "</s>", "<unk>"]

    def train(t, trainer):
        t.train_from_iterator(SENTENCES * 4, trainer)
        return t

    def unigram(**kw):
        return train(Tokenizer(models.Unigram()), trainers.UnigramTrainer(vocab_size=700, special_tokens=specials, unk_token="<unk>", show_progress=False, **kw))

    def unigram_with(normalizer, pre, byte_fallback=False):
        t = Tokenizer(models.Unigram())
        t.normalizer, t.pre_tokenizer = normalizer, pre
        train(t, trainers.UnigramTrainer(vocab_size=700, special_tokens=specials, unk_token="<unk>", show_progress=False))
        if byte_fallback:
            d = json.loads(t.to_str())
            d["model"]["byte_fallback"] = True
            d["model"]["vocab"] += [["<0x%02X>" % b, -20.0] for b in range(256)]
            t = Tokenizer.from_str(json.dumps(d))
        t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
        return t

    def bert(lowercase, strip_accents=None, clean=True, chinese=True):
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        t.normalizer = normalizers.BertNormalizer(clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip_accents, lowercase=lowercase)
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        train(t, trainers.WordPieceTrainer(vocab_size=900, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
        t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
        return t

    def bytelevel(normalizer=None, pre=None, post=None, ignore_merges=False):
        t = Tokenizer(models.BPE(ignore_merges=ignore_merges))
        if normalizer:
            t.normalizer = normalizer
        t.pre_tokenizer = pre or pre_tokenizers.ByteLevel(add_prefix_space=False)
        train(t, trainers.BpeTrainer(vocab_size=900, special_tokens=["<|endoftext|>", "<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
        t.post_processor = post or processors.ByteLevel(trim_offsets=False)
        return t

    def sentencepiece_bpe(normalizer, pre, byte_fallback=True, fuse_unk=True):
        t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=byte_fallback, fuse_unk=fuse_unk))
        t.normalizer = normalizer
        if pre:
            t.pre_tokenizer = pre
        spec = specials + (["<0x%02X>" % b for b in range(256)] if byte_fallback else [])
        train(t, trainers.BpeTrainer(vocab_size=1000, special_tokens=spec, limit_alphabet=150, max_token_length=16, show_progress=False))
        d = json.loads(t.to_str())
        d["added_tokens"] = [a for a in d["added_tokens"] if not a["content"].startswith("<0x")]
        t = Tokenizer.from_str(json.dumps(d))
        t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
        return t

    S, P = normalizers.Sequence, pre_tokenizers.Sequence
    metaspace = pre_tokenizers.Metaspace
    files = {
        "unigram-xlmr": unigram_with(S([precompiled(nfkc)]), P([pre_tokenizers.WhitespaceSplit(), metaspace()])),
        "unigram-t5": unigram_with(S([precompiled(small), normalizers.Replace(Regex(" {2,}"), " ")]), metaspace(prepend_scheme="first")),
        "unigram-albert": unigram_with(S([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), precompiled(small)]), metaspace(prepend_scheme="always")),
        "unigram-bytes": unigram_with(S([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip()]), metaspace(prepend_scheme="never", split=False), byte_fallback=True),
        "wordpiece-uncased": bert(True),
        "wordpiece-cased": bert(False),
        "wordpiece-accents": bert(True, strip_accents=False, clean=False, chinese=False),
        "bpe-gpt2": bytelevel(),
        "bpe-roberta": bytelevel(pre=pre_tokenizers.ByteLevel(add_prefix_space=True), post=processors.RobertaProcessing(("</s>", 2), ("<s>", 1), trim_offsets=True, add_prefix_space=True)),
        "bpe-qwen": bytelevel(normalizers.NFC(), P([pre_tokenizers.Split(Regex(qwen), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])),
        "bpe-llama3": bytelevel(None, P([pre_tokenizers.Split(Regex(llama), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), ignore_merges=True),
        "bpe-deepseek": bytelevel(S([]), P([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.Split(Regex(gpt2), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])),
        "bpe-llama2": sentencepiece_bpe(S([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None),
        "bpe-gemma": sentencepiece_bpe(normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")),
        "bpe-unknown": sentencepiece_bpe(S([normalizers.NFD(), normalizers.Strip(left=False, right=True)]), P([pre_tokenizers.Whitespace(), pre_tokenizers.Digits()]), byte_fallback=False, fuse_unk=True),
        "bpe-removed": sentencepiece_bpe(S([normalizers.Lowercase(), normalizers.NFKD()]), P([pre_tokenizers.Split(Regex(r"[,;]"), "removed"), pre_tokenizers.Split(Regex(r"\s+"), "merged_with_next"), pre_tokenizers.Split("e", "removed", invert=True)]), byte_fallback=False, fuse_unk=False),
    }
    # <mask> takes the space before it, as in XLM-R.
    from tokenizers import AddedToken
    for name in files:
        if name.startswith("unigram") or name == "bpe-roberta":
            files[name].add_special_tokens([AddedToken("<mask>", lstrip=True)])
        if name == "bpe-gpt2":
            files[name].add_tokens([AddedToken("keeper", single_word=True), AddedToken(" ship", rstrip=True)])
    return files


def main():
    os.makedirs(os.path.join(HERE, "cases"), exist_ok=True)
    rng = random.Random(20)
    texts = TEXTS + [noise(rng) for _ in range(250)]
    golden = io.StringIO()
    golden.write(json.dumps({"texts": texts}) + "\n")
    for name, t in sorted(build().items()):
        data = t.to_str().encode()
        if name == "unigram-xlmr":
            with open(os.path.join(HERE, "cases", name + ".json.bz2"), "wb") as f:
                f.write(bz2.compress(data, 9))
        else:
            with open(os.path.join(HERE, "cases", name + ".json"), "wb") as f:
                f.write(data)
        rows = []
        for text in texts:
            e = t.encode(text, add_special_tokens=False)
            at = [0]
            for c in text:
                at.append(at[-1] + len(c.encode()))
            rows.append([[i, at[a], at[b]] for i, (a, b) in zip(e.ids, e.offsets)])
        special = len(t.encode("", add_special_tokens=True).ids)
        golden.write(json.dumps({"name": name, "special": special, "tokens": rows}, separators=(",", ":")) + "\n")
    with open(os.path.join(HERE, "golden.jsonl.gz"), "wb") as f:
        with gzip.GzipFile(fileobj=f, mode="wb", mtime=0, compresslevel=9) as z:
            z.write(golden.getvalue().encode())


main()
