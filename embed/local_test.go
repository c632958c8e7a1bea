package embed_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/vectorlink/vectorlink/contract"
	"github.com/vectorlink/vectorlink/embed"
)

func local(t testing.TB) *embed.LocalEmbedder {
	t.Helper()
	l, err := embed.Local(2)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLocalIdentity(t *testing.T) {
	l := local(t)
	if got, want := l.Fingerprint(), "local/all-MiniLM-L6-v2/384/w256/int8-1"; got != want {
		t.Errorf("fingerprint %q, want %q", got, want)
	}
	if dim, err := l.Dim(t.Context(), contract.Secret{}); dim != 384 || err != nil {
		t.Errorf("dim %d, %v, want 384", dim, err)
	}
	if l.Batch() != 32 {
		t.Errorf("batch %d, want 32", l.Batch())
	}
}

func TestLocalSplit(t *testing.T) {
	l := local(t)
	word := "wörd "
	per := l.Tokens(word)
	for _, test := range []struct{ words, chunks int }{
		{0, 1}, {1, 1}, {254 / per, 1}, {254/per + 1, 2}, {1000 / per, 1 + int(math.Ceil(float64(1000/per*per-254)/218))},
	} {
		text := strings.Repeat(word, test.words)
		chunks, tokens := l.Split(text)
		if tokens != test.words*per || len(chunks) != test.chunks {
			t.Errorf("%d words: %d tokens in %d chunks, want %d in %d", test.words, tokens, len(chunks), test.words*per, test.chunks)
			continue
		}
		if test.words == 0 {
			chunks[0].Unreadable = false // nothing was read
		}
		checkChunks(t, text, chunks, tokens, 254, 36)
	}
}

// TestLocalUnreadable reads texts in scripts of which the model knows everything,
// something and nothing.
func TestLocalUnreadable(t *testing.T) {
	l := local(t)
	for text, want := range map[string]bool{
		"the quick brown fox": false, "Việt Nam": false, "Привет мир": false, "대한민국": false, "日本": false,
		"great pizza 🍕 tonight": false, "ฉันชอบ iPhone": false, "♥": false, "123 45": false, "!!!": false, "https://a.b/c?d=1": false,
		"ฉันชอบกินข้าวผัด": true, "วันนี้ฝนตกหนักมาก!": true, "앵귈라": true, "2024 앵귈라, 17": true, "საქართველო": true,
		"ブルキナファソ": true, "🍕": true, "🎉🎉 🍕": true, strings.Repeat("x", 101): true, "": true, "\x01\u200b": true,
		"ಕನ್ನಡ ಕನ್ನಡ ಕನ್ನಡ a": false, "ಕನ್ನಡ ಕನ್ನಡ ಕನ್ನಡ ಕನ್ನಡ a": true,
	} {
		if chunks, _ := l.Split(text); len(chunks) != 1 || chunks[0].Unreadable != want {
			t.Errorf("%q: %+v, want unreadable %v", text, chunks, want)
		}
	}
	chunks, _ := l.Split(strings.Repeat("ฉันชอบกิน ", 300) + strings.Repeat("fox ", 300))
	if n := len(chunks); !chunks[0].Unreadable || chunks[n-1].Unreadable {
		t.Errorf("of a text in two scripts: %+v", chunks)
	}
}

// checkChunks holds what every split promises.
func checkChunks(t *testing.T, text string, chunks []contract.Chunk, tokens, size, overlap int) {
	t.Helper()
	if tokens <= size {
		if want := (contract.Chunk{End: len(text), Tokens: tokens}); len(chunks) != 1 || chunks[0] != want {
			t.Errorf("chunks %+v, want the whole text, %+v", chunks, want)
		}
		return
	}
	for i, c := range chunks {
		want := size
		if i == len(chunks)-1 {
			want = tokens - i*(size-overlap)
		}
		if c.TokenStart != i*(size-overlap) || c.Tokens != want || want > size {
			t.Errorf("chunk %d: %d tokens from %d, want %d from %d", i, c.Tokens, c.TokenStart, want, i*(size-overlap))
		}
		if c.Start < 0 || c.End > len(text) || c.Start >= c.End {
			t.Fatalf("chunk %d: bytes %d to %d of %d", i, c.Start, c.End, len(text))
		}
		if piece := text[c.Start:c.End]; strings.ToValidUTF8(piece, "") != piece && strings.ToValidUTF8(text, "") == text {
			t.Errorf("chunk %d cuts a character", i)
		}
		if i > 0 && (c.Start <= chunks[i-1].Start || c.Start > chunks[i-1].End) {
			t.Errorf("chunk %d begins at byte %d, outside of the one before, %d to %d", i, c.Start, chunks[i-1].Start, chunks[i-1].End)
		}
	}
}

func FuzzLocalSplit(f *testing.F) {
	l := local(f)
	f.Add("", 1)
	f.Add("plain words and, some punctuation! ", 60)
	f.Add("각나다라 東京 \xff e\u0301 ", 40)
	f.Fuzz(func(t *testing.T, text string, times int) {
		text = strings.Repeat(text, max(0, min(times, 100, 1<<16/(len(text)+1))))
		chunks, tokens := l.Split(text)
		if tokens <= 254 && len(chunks) != 1 || len(chunks) == 0 {
			t.Fatalf("%d chunks for %d tokens", len(chunks), tokens)
		}
		for _, c := range chunks {
			if c.Start < 0 || c.Start > c.End || c.End > len(text) || c.Tokens > 254 {
				t.Fatalf("chunk %+v of %d bytes", c, len(text))
			}
		}
	})
}

func TestLocalEmbed(t *testing.T) {
	l := local(t)
	texts := []string{"a pet that meows", "cat", "", "the price of steel"}
	v, err := l.Embed(t.Context(), documents(texts...))
	if err != nil {
		t.Fatal(err)
	}
	if len(v) != len(texts) {
		t.Fatalf("%d vectors, want %d", len(v), len(texts))
	}
	for i := range v {
		if d := dot(v[i], v[i]); len(v[i]) != 384 || math.Abs(d-1) > 1e-6 {
			t.Errorf("text %d: %d dimensions, length² %v", i, len(v[i]), d)
		}
	}
	if near, far := dot(v[0], v[1]), dot(v[0], v[3]); near < far+0.3 {
		t.Errorf("cosine of alike texts %.2f, of others %.2f", near, far)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Embed(ctx, queries(texts...)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func dot(a, b []float32) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
