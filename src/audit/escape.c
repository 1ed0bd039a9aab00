#include "audit/escape.h"

#include <stdint.h>
#include <string.h>

size_t utf8_char(const char *text, unsigned *code)
{
	const uint8_t *c = (const uint8_t *)text;
	static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = c[0] < 0x80 ? 1 : c[0] >= 0xf0 ? 4 : c[0] >= 0xe0 ? 3 : c[0] >= 0xc2 ? 2 : 0;

	if (len == 0 || c[0] > 0xf4)
		return 0;
	*code = len == 1 ? c[0] : c[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((c[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (c[i] & 0x3fu);
	}
	if (*code < least[len] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return len;
}

/* Characters that a terminal, a viewer or a parser may act upon. */
static bool is_unsafe(unsigned code)
{
	static const struct {
		unsigned first, last;
	} ranges[] = {
		{0x00, 0x1f},     {'%', '%'},       {0x7f, 0x9f},     {0xad, 0xad},
		{0x61c, 0x61c},   {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return false;
}

static size_t encode_percent(const char *text, size_t len, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)text[i];

		out[3 * i] = '%';
		out[3 * i + 1] = digits[byte >> 4];
		out[3 * i + 2] = digits[byte & 15];
	}
	return 3 * len;
}

/* Most of all texts: ASCII that stands for itself. */
static size_t plain_len(const char *text)
{
	size_t len = 0;

	while (text[len] >= ' ' && text[len] <= '~' && text[len] != '%' && text[len] != '"' &&
	       text[len] != '\\' && text[len] != ']')
		len++;
	return len;
}

size_t escape_value(const char *text, char *out, size_t size, bool *is_cut)
{
	size_t used = 0;

	while (*text != '\0') {
		char piece[12];
		size_t piece_len = 0, len = plain_len(text);
		unsigned code;

		if (len > size - 1 - used)
			len = size - 1 - used;
		memcpy(out + used, text, len);
		used += len;
		text += len;
		if (*text == '\0')
			break;
		len = utf8_char(text, &code);
		if (len == 0 || is_unsafe(code)) {
			len = len == 0 ? 1 : len;
			piece_len = encode_percent(text, len, piece);
		} else {
			if (code == '"' || code == '\\' || code == ']')
				piece[piece_len++] = '\\';
			memcpy(piece + piece_len, text, len);
			piece_len += len;
		}
		if (used + piece_len + 1 > size) {
			*is_cut = true;
			break;
		}
		memcpy(out + used, piece, piece_len);
		used += piece_len;
		text += len;
	}
	out[used] = '\0';
	return used;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void unescape_percent(char *text)
{
	char *out = text;

	for (; *text != '\0'; text++) {
		int high = *text == '%' ? hex_value(text[1]) : -1;
		int low = high < 0 ? -1 : hex_value(text[2]);

		if (low >= 0 && (high | low) != 0) {
			*out++ = (char)(high << 4 | low);
			text += 2;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}
