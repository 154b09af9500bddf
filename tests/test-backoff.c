/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-backoff-private.h"

#define SECOND G_TIME_SPAN_SECOND
#define SHORTEST 0
#define LONGEST G_MAXUINT32

static void
test_wait_doubles (void)
{
  VtBackoff longest = { .min = SECOND, .max = 60 * SECOND };
  VtBackoff shortest = longest;

  for (gint64 wait = SECOND; wait < 60 * SECOND; wait *= 2)
    {
      g_assert_cmpint (vt_backoff_next (&longest, LONGEST), ==, wait);
      g_assert_cmpint (vt_backoff_next (&shortest, SHORTEST), ==, wait / 2);
    }
  for (int i = 0; i < 100; i++)
    {
      g_assert_cmpint (vt_backoff_next (&longest, LONGEST), ==, 60 * SECOND);
      g_assert_cmpint (vt_backoff_next (&shortest, SHORTEST), ==, 30 * SECOND);
    }
  g_assert_cmpuint (longest.n_failures, ==, 106);
}

static void
test_wait_reset (void)
{
  VtBackoff self = { .min = SECOND, .max = 60 * SECOND };

  for (int i = 0; i < 10; i++)
    vt_backoff_next (&self, LONGEST);
  vt_backoff_reset (&self);
  g_assert_cmpuint (self.n_failures, ==, 0);
  g_assert_cmpint (vt_backoff_next (&self, LONGEST), ==, SECOND);
  g_assert_cmpint (vt_backoff_next (&self, LONGEST), ==, 2 * SECOND);
}

/* What is drawn lies everywhere between half and all, and about as often in each quarter. */
static void
test_wait_jitter (void)
{
  VtBackoff self = { .min = 8 * SECOND, .max = 8 * SECOND };
  unsigned int quarters[4] = { 0 };

  for (int i = 0; i < 10000; i++)
    {
      gint64 wait = vt_backoff_next (&self, g_test_rand_int ());

      g_assert_cmpint (wait, >=, 4 * SECOND);
      g_assert_cmpint (wait, <=, 8 * SECOND);
      quarters[MIN (wait / SECOND - 4, 3)]++;
    }
  for (int i = 0; i < 4; i++)
    g_assert_cmpuint (quarters[i], >, 2000);
  g_assert_cmpint (vt_backoff_next (&self, G_MAXUINT32 / 2), ==, 6 * SECOND - 1);
}

static const struct {
  const char *name;
  gint64 min;
  gint64 max;
  gint64 first;
  gint64 last;
} bounds[] = {
  { "min-above-max", 10 * SECOND, 3 * SECOND, 3 * SECOND, 3 * SECOND },
  { "min-is-max", 3 * SECOND, 3 * SECOND, 3 * SECOND, 3 * SECOND },
  { "no-wait", 0, 0, 0, 0 },
  { "no-first-wait", 0, SECOND, 0, 0 },
  { "no-max", SECOND, 0, 0, 0 },
  { "one", 1, 1, 1, 1 },
  { "one-to-most", 1, G_MAXINT64, 1, G_MAXINT64 },
  { "three-to-most", 3, G_MAXINT64, 3, G_MAXINT64 },
  { "most", G_MAXINT64, G_MAXINT64, G_MAXINT64, G_MAXINT64 },
};

static gint64
half (gint64 wait)
{
  return wait - wait / 2;
}

/* None is outside, and none is shorter than the one before it. */
static void
test_bounds (const void *data)
{
  size_t i = GPOINTER_TO_SIZE (data);
  VtBackoff longest = { .min = bounds[i].min, .max = bounds[i].max };
  VtBackoff shortest = longest;
  gint64 before = bounds[i].first;

  for (int n = 0; n < 100; n++)
    {
      gint64 wait = vt_backoff_next (&longest, LONGEST);

      g_assert_cmpint (wait, >=, before);
      g_assert_cmpint (wait, <=, bounds[i].max);
      g_assert_cmpint (vt_backoff_next (&shortest, SHORTEST), ==, half (wait));
      if (n == 0)
        g_assert_cmpint (wait, ==, bounds[i].first);
      before = wait;
    }
  g_assert_cmpint (before, ==, bounds[i].last);
}

/* As after 2^32 calls: the count does not begin anew. */
static void
test_bounds_count (void)
{
  VtBackoff self = { .min = SECOND, .max = 60 * SECOND, .n_failures = G_MAXUINT - 2 };

  for (int i = 0; i < 5; i++)
    g_assert_cmpint (vt_backoff_next (&self, LONGEST), ==, 60 * SECOND);
  g_assert_cmpuint (self.n_failures, ==, G_MAXUINT);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/backoff/wait/doubles", test_wait_doubles);
  g_test_add_func ("/backoff/wait/reset", test_wait_reset);
  g_test_add_func ("/backoff/wait/jitter", test_wait_jitter);
  for (size_t i = 0; i < G_N_ELEMENTS (bounds); i++)
    {
      g_autofree char *path = g_strdup_printf ("/backoff/bounds/%s", bounds[i].name);

      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_bounds);
    }
  g_test_add_func ("/backoff/bounds/count", test_bounds_count);
  return g_test_run ();
}
