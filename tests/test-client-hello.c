/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client-hello-private.h"

#include <string.h>

static void
put (GByteArray *array, const void *data, size_t length)
{
  g_byte_array_append (array, data, (unsigned int) length);
}

static void
put_number (GByteArray *array, size_t number, unsigned int n_bytes)
{
  while (n_bytes-- > 0)
    {
      uint8_t byte = (uint8_t) (number >> (8 * n_bytes));

      put (array, &byte, 1);
    }
}

/* Takes `content`. */
static void
put_vector (GByteArray *array, GByteArray *content, unsigned int n_bytes)
{
  put_number (array, content->len, n_bytes);
  put (array, content->data, content->len);
  g_byte_array_unref (content);
}

static GByteArray *
filler (size_t length)
{
  GByteArray *array = g_byte_array_new ();

  while (length-- > 0)
    put_number (array, length & 0xff, 1);
  return array;
}

static GByteArray *
server_name (const char *name)
{
  GByteArray *host = g_byte_array_new ();
  GByteArray *list = g_byte_array_new ();
  GByteArray *extension = g_byte_array_new ();

  put (host, name, strlen (name));
  put_number (list, 0, 1);
  put_vector (list, host, 2);
  put_vector (extension, list, 2);
  return extension;
}

/* The message, with a name or without, and with other extensions around it. */
static GByteArray *
new_hello (const char *name, size_t n_other)
{
  GByteArray *message = g_byte_array_new ();
  GByteArray *body = g_byte_array_new ();
  GByteArray *extensions = g_byte_array_new ();

  put_number (body, 0x0303, 2);
  put_vector (body, filler (32), 0);
  put_vector (body, filler (32), 1);
  put_vector (body, filler (6), 2);
  put_vector (body, filler (1), 1);
  put_number (extensions, 0x2b, 2);
  put_vector (extensions, filler (n_other), 2);
  if (name != NULL)
    {
      put_number (extensions, 0, 2);
      put_vector (extensions, server_name (name), 2);
    }
  put_number (extensions, 0x10, 2);
  put_vector (extensions, filler (5), 2);
  put_vector (body, extensions, 2);
  put_number (message, 1, 1);
  put_vector (message, body, 3);
  return message;
}

/* The message in records of this size. Takes it. */
static GByteArray *
in_records (GByteArray *message, size_t size)
{
  GByteArray *records = g_byte_array_new ();

  for (size_t at = 0; at < message->len; at += size)
    {
      size_t n = MIN (size, message->len - at);

      put (records, "\x16\x03\x01", 3);
      put_number (records, n, 2);
      put (records, message->data + at, n);
    }
  g_byte_array_unref (message);
  return records;
}

static void
expect (const GByteArray *data, size_t length, VtClientHelloStep expected, const char *name)
{
  g_autofree char *found = NULL;
  /* So that the sanitizer sees whatever is read beyond it. */
  g_autofree uint8_t *copy = g_memdup2 (data->data, length);

  g_assert_cmpint (vt_client_hello_read (copy, length, &found), ==, expected);
  g_assert_cmpstr (found, ==, name);
}

static void
test_names (void)
{
  for (size_t size = 1; size < 400; size += size < 20 ? 1 : 57)
    {
      g_autoptr(GByteArray) hello = in_records (new_hello ("A.example", 20), size);

      for (size_t length = 0; length < hello->len; length++)
        expect (hello, length, VT_CLIENT_HELLO_MORE, NULL);
      expect (hello, hello->len, VT_CLIENT_HELLO_NAMED, "a.example");
      /* What follows does not matter. */
      put (hello, "x", 1);
      expect (hello, hello->len, VT_CLIENT_HELLO_NAMED, "a.example");
    }
}

static void
test_unnamed (void)
{
  g_autoptr(GByteArray) hello = in_records (new_hello (NULL, 20), 16384);
  /* Of an old program, without any extensions. */
  g_autoptr(GByteArray) old = g_byte_array_new ();

  expect (hello, hello->len, VT_CLIENT_HELLO_UNNAMED, NULL);
  put (old, "\x16\x03\x00\x00\x2d\x01\x00\x00\x29\x03\x00", 11);
  put_vector (old, filler (32), 0);
  put (old, "\x00\x00\x02\x00\x0a\x01\x00", 7);
  expect (old, old->len, VT_CLIENT_HELLO_UNNAMED, NULL);
}

static void
expect_broken (GByteArray *hello)
{
  g_autoptr(GByteArray) owned = hello;

  expect (owned, owned->len, VT_CLIENT_HELLO_BROKEN, NULL);
}

static GByteArray *
with_byte (size_t at, uint8_t byte)
{
  GByteArray *hello = in_records (new_hello ("a.example", 20), 16384);

  hello->data[at] = byte;
  return hello;
}

static void
test_broken (void)
{
  GByteArray *twice = g_byte_array_new ();
  GByteArray *large = g_byte_array_new ();

  expect_broken (with_byte (0, 0x17));
  expect_broken (with_byte (1, 2));
  expect_broken (with_byte (3, 0xff));
  expect_broken (with_byte (5, 2));
  expect_broken (in_records (new_hello ("", 20), 16384));
  /* More than 64 KiB are announced. */
  put (large, "\x16\x03\x01\x00\x04\x01\x02\x00\x00", 9);
  expect_broken (large);
  put (twice, "\x16\x03\x01\x00\x00", 5);
  expect_broken (twice);
}

/* Whatever a byte becomes, nothing is read that is not there. */
static void
test_random (void)
{
  for (unsigned int i = 0; i < 20000; i++)
    {
      g_autoptr(GByteArray) hello =
          in_records (new_hello ("a.example", 20), (size_t) g_test_rand_int_range (1, 300));
      g_autofree char *name = NULL;

      for (unsigned int j = 0; j < 1 + i % 3; j++)
        hello->data[g_test_rand_int_range (0, (int) hello->len)] =
            (uint8_t) g_test_rand_int_range (0, 256);
      vt_client_hello_read (hello->data, hello->len, &name);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/client-hello/names", test_names);
  g_test_add_func ("/client-hello/unnamed", test_unnamed);
  g_test_add_func ("/client-hello/broken", test_broken);
  g_test_add_func ("/client-hello/random", test_random);

  return g_test_run ();
}
