/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-base64-private.h"

static const char alphabet[64] __attribute__ ((nonstring)) =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The value of each character of the alphabet with VALID set; 0 for what is not of it. So the
 * validity of many characters is one AND. */
#define VALID 64

/* clang-format off */
static const uint8_t values[256] = {
  ['+'] = 126,
  ['/'] = 127,
  ['0'] = 116, 117, 118, 119, 120, 121, 122, 123, 124, 125,
  ['A'] = 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76,
  77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89,
  ['a'] = 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102,
  103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115,
};
/* clang-format on */

size_t
vt_base64_encoded_length (size_t length)
{
  return (length + 2) / 3 * 4;
}

static void
encode_tail (const uint8_t *data, size_t length, char *text)
{
  unsigned int word =
      (unsigned int) data[0] << 16 | (length == 2 ? (unsigned int) data[1] << 8 : 0);

  text[0] = alphabet[word >> 18];
  text[1] = alphabet[word >> 12 & 63];
  text[2] = length == 2 ? alphabet[word >> 6 & 63] : '=';
  text[3] = '=';
}

void
vt_base64_encode (const uint8_t *data, size_t length, char *text)
{
  for (; length >= 3; length -= 3, data += 3, text += 4)
    {
      unsigned int word = (unsigned int) data[0] << 16 | (unsigned int) data[1] << 8 | data[2];

      text[0] = alphabet[word >> 18];
      text[1] = alphabet[word >> 12 & 63];
      text[2] = alphabet[word >> 6 & 63];
      text[3] = alphabet[word & 63];
    }
  if (length > 0)
    encode_tail (data, length, text);
}

/* Four characters without padding; FALSE if one of them is not of the alphabet. */
static inline gboolean
decode_four (const char *text, unsigned int *word)
{
  unsigned int a = values[(uint8_t) text[0]];
  unsigned int b = values[(uint8_t) text[1]];
  unsigned int c = values[(uint8_t) text[2]];
  unsigned int d = values[(uint8_t) text[3]];

  *word = (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
  return (a & b & c & d & VALID) != 0;
}

/* The last four characters, which may be padded. The bits that padding leaves over may have any
 * value: the existing programs do not look at them. */
static gboolean
decode_tail (const char *text, uint8_t *data, size_t n_bytes)
{
  char four[4] = { text[0], text[1], n_bytes > 1 ? text[2] : 'A', n_bytes > 2 ? text[3] : 'A' };
  unsigned int word;

  if (!decode_four (four, &word))
    return FALSE;

  for (size_t i = 0; i < n_bytes; i++)
    data[i] = (uint8_t) (word >> (16 - 8 * i));
  return TRUE;
}

GBytes *
vt_base64_decode (const char *text, size_t length)
{
  g_autofree uint8_t *data = NULL;
  uint8_t *at;
  size_t n_last = 3;

  if (length % 4 != 0)
    return NULL;
  if (length == 0)
    return g_bytes_new (NULL, 0);

  if (text[length - 1] == '=')
    n_last = text[length - 2] == '=' ? 1 : 2;

  data = at = g_malloc (length / 4 * 3);
  for (; length > 4; length -= 4, text += 4, at += 3)
    {
      unsigned int word;

      if (!decode_four (text, &word))
        return NULL;
      at[0] = (uint8_t) (word >> 16);
      at[1] = (uint8_t) (word >> 8);
      at[2] = (uint8_t) word;
    }
  if (!decode_tail (text, at, n_last))
    return NULL;

  length = (size_t) (at - data) + n_last;
  return g_bytes_new_take (g_steal_pointer (&data), length);
}
