// Package subword cuts texts into the tokens of a model, by the tokenizer.json
// that comes with it.
//
// The three kinds of model are read, WordPiece (BERT and its kin), BPE (GPT-2,
// Llama, Qwen, Gemma and theirs) and Unigram (T5, XLM-R and theirs), with the
// steps before them that published files name: normalizers, among them
// SentencePiece's compiled character maps, pre-tokenizers and added tokens.
// What a file asks for and this package does not know is refused when it is
// read; nothing is left out silently.
//
// BERT makes one of a vocabulary alone, for the built-in model.
//
// Tokens tell the bytes of the text that they stand for. The same files give
// the same tokens and the same places as Hugging Face's tokenizers, which the
// tests hold against its answers (testdata/make.py).
//
// It is our own because no Go library stands those tests. The nearest,
// sugarme/tokenizer v0.3.0, stands none of the 16: it cannot read four of the
// files, panics on texts with six, and with the others has wrong tokens or
// places for 20 to 280 of the 356 texts.
//
// A text goes through the steps as a list of characters, each with the bytes
// it came from, so that places survive whatever a step adds, drops or joins.
//
// A Tokenizer is immutable and used by any number of goroutines at once.
// Nothing here is durable.
package subword
