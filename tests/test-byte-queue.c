/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "vt-byte-queue-private.h"

#define COST VT_BYTE_QUEUE_PIECE_COST

/* Bytes whose values say where they stand. */
static uint8_t source[200000];

static void
push (VtByteQueue *queue, size_t from, size_t length)
{
  g_autoptr(GBytes) bytes = g_bytes_new (source + from, length);

  vt_byte_queue_push (queue, bytes);
}

/* The next bytes are those from there on; gives how long the piece is. */
static size_t
expect_first (VtByteQueue *queue, size_t from)
{
  size_t length;
  const uint8_t *data = vt_byte_queue_peek (queue, &length);

  g_assert_cmpmem (data, length, source + from, length);
  g_assert_cmpuint (length, >, 0);
  return length;
}

/* All that is there are the bytes from there on. */
static void
expect_all (VtByteQueue *queue, size_t from, size_t length)
{
  size_t there;

  g_assert_cmpuint (queue->length, ==, length);
  for (size_t at = 0; at < length; at += there)
    {
      there = expect_first (queue, from + at);
      vt_byte_queue_consume (queue, there);
    }
  g_assert_null (vt_byte_queue_peek (queue, &there));
  g_assert_cmpuint (there, ==, 0);
  g_assert_cmpuint (queue->length, ==, 0);
  g_assert_cmpuint (queue->cost, ==, 0);
}

static void
test_pieces (void)
{
  VtByteQueue queue = { 0 };

  push (&queue, 0, 0);
  expect_all (&queue, 0, 0);
  for (size_t i = 0; i < 5000; i++)
    push (&queue, i, 1);
  g_assert_cmpuint (queue.cost, ==, 5000 + 2 * COST);
  push (&queue, 5000, 1024);
  g_assert_cmpuint (queue.cost, ==, 6024 + 3 * COST);
  push (&queue, 6024, 1023);
  vt_byte_queue_consume (&queue, 4096);
  g_assert_cmpuint (queue.cost, ==, 2951 + 3 * COST);
  g_assert_cmpuint (expect_first (&queue, 4096), ==, 904);
  vt_byte_queue_consume (&queue, 1000);
  g_assert_cmpuint (expect_first (&queue, 5096), ==, 928);
  expect_all (&queue, 5096, 1951);
  push (&queue, 0, 3000);
  vt_byte_queue_clear (&queue);
  expect_all (&queue, 0, 0);
}

/* A large piece is kept as it came. */
static void
test_not_copied (void)
{
  g_autoptr(GBytes) bytes = g_bytes_new_static (source, 1024);
  VtByteQueue queue = { 0 };
  size_t length;

  vt_byte_queue_push (&queue, bytes);
  g_assert_true (vt_byte_queue_peek (&queue, &length) == source);
  vt_byte_queue_clear (&queue);
}

/* A reader that keeps up reads what was lent where it is, and nothing is copied. */
static void
test_lend (void)
{
  VtByteQueue queue = { 0 };
  size_t length;

  vt_byte_queue_lend (&queue, source + 7, 5000);
  g_assert_cmpuint (queue.length, ==, 5000);
  g_assert_cmpuint (queue.cost, ==, 5000);
  g_assert_true (vt_byte_queue_peek (&queue, &length) == source + 7);
  g_assert_cmpuint (length, ==, 5000);
  vt_byte_queue_consume (&queue, 1000);
  g_assert_true (vt_byte_queue_peek (&queue, &length) == source + 1007);
  g_assert_cmpuint (length, ==, 4000);
  g_assert_cmpuint (queue.cost, ==, 4000);
  vt_byte_queue_consume (&queue, 4000);
  expect_all (&queue, 0, 0);
  vt_byte_queue_end_lending (&queue);
  expect_all (&queue, 0, 0);
  vt_byte_queue_end_lending (&queue);
  expect_all (&queue, 0, 0);
}

/* What was not taken of it is copied, whatever its size. */
static void
check_end_lending (size_t before, size_t length, size_t consumed)
{
  uint8_t *lent = g_memdup2 (source + before, length);
  VtByteQueue queue = { 0 };

  push (&queue, 0, before);
  vt_byte_queue_lend (&queue, lent, length);
  g_assert_cmpuint (queue.length, ==, before + length);
  vt_byte_queue_consume (&queue, consumed);
  vt_byte_queue_end_lending (&queue);
  memset (lent, 0xff, length);
  g_free (lent);
  g_assert_cmpuint (queue.cost, >=, queue.length);
  g_assert_cmpuint (queue.cost, <=, queue.length + 2 * COST);
  push (&queue, before + length, 10);
  expect_all (&queue, consumed, before + length + 10 - consumed);
}

static void
test_end_lending (void)
{
  static const size_t sizes[] = { 0, 1, 500, 1023, 1024, 1025, 70000 };

  for (unsigned int i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (unsigned int j = 1; j < G_N_ELEMENTS (sizes); j++)
      for (unsigned int k = 0; k < G_N_ELEMENTS (sizes); k++)
        if (sizes[k] <= sizes[i] + sizes[j])
          check_end_lending (sizes[i], sizes[j], sizes[k]);
}

/* A little of a large message is put together with what is there. */
static void
test_lend_small (void)
{
  VtByteQueue queue = { 0 };

  for (size_t i = 0; i < 4096; i += 2)
    {
      vt_byte_queue_lend (&queue, source + i, 2);
      vt_byte_queue_end_lending (&queue);
    }
  g_assert_cmpuint (queue.cost, ==, 4096 + COST);
  /* Most of a large piece was taken: what is left of it is small. */
  vt_byte_queue_consume (&queue, 4095);
  vt_byte_queue_lend (&queue, source + 4096, 60000);
  vt_byte_queue_consume (&queue, 1 + 59000);
  vt_byte_queue_end_lending (&queue);
  g_assert_cmpuint (queue.cost, ==, 1000 + COST);
  expect_all (&queue, 4096 + 59000, 1000);
}

static void
test_clear_lent (void)
{
  VtByteQueue queue = { 0 };

  push (&queue, 0, 100);
  vt_byte_queue_lend (&queue, source + 100, 5000);
  vt_byte_queue_clear (&queue);
  expect_all (&queue, 0, 0);
  vt_byte_queue_end_lending (&queue);
  expect_all (&queue, 0, 0);
  push (&queue, 50, 100);
  expect_all (&queue, 50, 100);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < sizeof source; i++)
    source[i] = (uint8_t) ((i * 2654435761u) >> 13);
  g_test_add_func ("/byte-queue/pieces", test_pieces);
  g_test_add_func ("/byte-queue/not-copied", test_not_copied);
  g_test_add_func ("/byte-queue/lend/kept-up", test_lend);
  g_test_add_func ("/byte-queue/lend/end", test_end_lending);
  g_test_add_func ("/byte-queue/lend/small", test_lend_small);
  g_test_add_func ("/byte-queue/lend/clear", test_clear_lent);
  return g_test_run ();
}
