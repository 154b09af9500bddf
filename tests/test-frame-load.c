/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-frame-load-private.h"

#include <string.h>

#include "vt-frame-mask-private.h"

static GBytes *
make_payload (size_t size)
{
  uint8_t *data = g_malloc (size);

  for (size_t i = 0; i < size; i++)
    data[i] = i * 31 + (i >> 8);
  return g_bytes_new_take (data, size);
}

/* Writes the whole frame, so many bytes at a time; never across the pieces, as a socket may. */
static GByteArray *
write_out (VtFrameLoad *load, size_t step)
{
  GByteArray *written = g_byte_array_new ();
  GOutputVector vectors[VT_FRAME_LOAD_VECTORS];

  while (vt_frame_load_is_pending (load))
    {
      size_t n_vectors = vt_frame_load_get_vectors (load, vectors);
      size_t length = MIN (step, vectors[0].size);

      g_assert_cmpuint (n_vectors, >, 0);
      g_byte_array_append (written, vectors[0].buffer, length);
      vt_frame_load_advance (load, length);
    }
  g_assert_cmpuint (vt_frame_load_get_vectors (load, vectors), ==, 0);
  return written;
}

static void
expect_frame (size_t size, const char *header, size_t header_size, gboolean masked, size_t step)
{
  g_autoptr(GBytes) payload = make_payload (size);
  g_autoptr(GByteArray) written = NULL;
  VtFrameLoad load;
  uint8_t *body = NULL;

  vt_frame_load_init (&load, payload, masked);
  g_assert_cmpuint (vt_frame_load_get_size (&load), ==, header_size + (masked ? 4 : 0) + size);
  written = write_out (&load, step);
  g_assert_cmpuint (written->len, ==, header_size + (masked ? 4 : 0) + size);
  g_assert_cmphex (written->data[1] & 0x80, ==, masked ? 0x80 : 0);
  written->data[1] &= 0x7f;
  g_assert_cmpmem (written->data, header_size, header, header_size);
  body = written->data + header_size + (masked ? 4 : 0);
  if (masked)
    vt_frame_mask (body, body, size, written->data + header_size, 0);
  g_assert_cmpmem (body, size, g_bytes_get_data (payload, NULL), size);
}

static void
test_forms (void)
{
  static const struct {
    size_t size;
    const char *header;
    size_t header_size;
  } forms[] = {
    { 0, "\x82\x00", 2 },
    { 1, "\x82\x01", 2 },
    { 125, "\x82\x7d", 2 },
    { 126, "\x82\x7e\x00\x7e", 4 },
    { 65535, "\x82\x7e\xff\xff", 4 },
    { 65536, "\x82\x7f\0\0\0\0\0\1\0\0", 10 },
    { 300000, "\x82\x7f\0\0\0\0\0\4\x93\xe0", 10 },
  };
  static const size_t steps[] = { 1, 3, 14, 4096, 1000000 };

  for (size_t i = 0; i < G_N_ELEMENTS (forms); i++)
    for (size_t j = 0; j < G_N_ELEMENTS (steps); j++)
      {
        expect_frame (forms[i].size, forms[i].header, forms[i].header_size, FALSE, steps[j]);
        expect_frame (forms[i].size, forms[i].header, forms[i].header_size, TRUE, steps[j]);
      }
}

/* No mask is used twice, and what the caller holds remains as it was. */
static void
test_masks (void)
{
  g_autoptr(GBytes) payload = make_payload (2000);
  g_autoptr(GBytes) same = make_payload (2000);
  g_autoptr(GHashTable) masks = g_hash_table_new (NULL, NULL);

  for (unsigned int i = 0; i < 100; i++)
    {
      VtFrameLoad load;
      uint32_t mask = 0;

      vt_frame_load_init (&load, payload, TRUE);
      memcpy (&mask, load.header + 4, sizeof mask);
      g_hash_table_add (masks, GUINT_TO_POINTER (mask));
      vt_frame_load_clear (&load);
      g_assert_false (vt_frame_load_is_pending (&load));
    }
  g_assert_cmpuint (g_hash_table_size (masks), >, 98);
  g_assert_true (g_bytes_equal (payload, same));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/frame-load/forms", test_forms);
  g_test_add_func ("/frame-load/masks", test_masks);
  return g_test_run ();
}
