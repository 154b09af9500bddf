/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <glib.h>

#include "vt-listen-place-private.h"

typedef struct {
  const char *place;
  const char *other;
  gboolean covers;
  gboolean overlaps;
} Pair;

static const Pair pairs[] = {
  { "localhost", "localhost", TRUE, TRUE },    { "localhost", "127.0.0.1", TRUE, TRUE },
  { "localhost", "::1", TRUE, TRUE },          { "localhost", "[::1]", FALSE, TRUE },
  { "localhost", "127.0.0.9", TRUE, FALSE },   { "localhost", "0.0.0.0", FALSE, TRUE },
  { "localhost", "::", FALSE, TRUE },          { "localhost", "*", FALSE, TRUE },
  { "localhost", "192.0.2.1", FALSE, FALSE },  { "127.0.0.1", "127.0.0.1", TRUE, TRUE },
  { "127.0.0.1", "127.0.0.9", FALSE, FALSE },  { "127.0.0.1", "::1", FALSE, FALSE },
  { "127.0.0.1", "::", FALSE, FALSE },         { "::1", "0:0:0:0:0:0:0:1", TRUE, TRUE },
  { "0.0.0.0", "192.0.2.1", TRUE, TRUE },      { "0.0.0.0", "::1", FALSE, FALSE },
  { "0.0.0.0", "localhost", FALSE, TRUE },     { "::", "2001:db8::1", TRUE, TRUE },
  { "::", "192.0.2.1", FALSE, FALSE },         { "*", "192.0.2.1", TRUE, TRUE },
  { "*", "no address", TRUE, FALSE },          { "no address", "no address", TRUE, TRUE },
  { "no address", "192.0.2.1", FALSE, FALSE },
};

static void
test_pair (const void *data)
{
  const Pair *pair = data;

  g_assert_cmpint (vt_listen_place_covers (pair->place, pair->other), ==, pair->covers);
  g_assert_cmpint (vt_listen_place_overlaps (pair->place, pair->other), ==, pair->overlaps);
  g_assert_cmpint (vt_listen_place_overlaps (pair->other, pair->place), ==, pair->overlaps);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (pairs); i++)
    {
      g_autofree char *path =
          g_strdup_printf ("/listen-place/%s/%s", pairs[i].place, pairs[i].other);

      g_test_add_data_func (path, &pairs[i], test_pair);
    }
  return g_test_run ();
}
