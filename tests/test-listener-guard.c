/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-listener-private.h"

#include "descriptors.h"

#define RESERVE 64

static int n_looks;

/* Instead of the system's, to count how often the guard looks. */
int
getrlimit (__rlimit_resource_t resource, struct rlimit *limit)
{
  n_looks++;
  return prlimit (0, resource, NULL, limit);
}

static int n_messages;

static GLogWriterOutput
count_messages (GLogLevelFlags level, const GLogField *fields, size_t n_fields, gpointer user_data)
{
  if (level == G_LOG_LEVEL_MESSAGE)
    n_messages++;
  return g_log_writer_default (level, fields, n_fields, user_data);
}

static void
take_while_permitted (GArray *taken)
{
  while (vt_listener_may_take_descriptor ())
    g_assert_true (take (taken));
}

/* However the numbers in use are scattered, exactly the reserve is left. */
static void
test_guard_is_exact (void)
{
  g_autoptr(GArray) taken = g_array_new (FALSE, FALSE, sizeof (int));

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }
  g_log_set_writer_func (count_messages, NULL, NULL);
  set_limit (400);
  take_while_permitted (taken);
  g_assert_cmpint (count_free (400), ==, RESERVE);
  g_assert_cmpint (n_messages, ==, 1);

  /* The reserve is used, and then numbers at the bottom become free. */
  for (int i = 0; i < 40; i++)
    g_assert_true (take (taken));
  g_assert_false (vt_listener_may_take_descriptor ());
  g_assert_cmpint (n_messages, ==, 1);
  for (unsigned int i = 0; i < 150; i++)
    {
      close (g_array_index (taken, int, i));
      g_array_remove_index (taken, i);
    }
  g_assert_true (vt_listener_may_take_descriptor ());
  g_assert_cmpint (n_messages, ==, 2);
  take_while_permitted (taken);
  g_assert_cmpint (count_free (400), ==, RESERVE);

  /* All that is left is taken. */
  while (take (taken))
    continue;
  g_assert_false (vt_listener_may_take_descriptor ());
  g_assert_cmpint (n_messages, ==, 3);
  close_all (taken);
}

/* Far below the limit, it is not looked at for each descriptor. */
static void
test_guard_looks_seldom (void)
{
  n_looks = 0;
  for (int i = 0; i < 1000; i++)
    g_assert_true (vt_listener_may_take_descriptor ());
  g_assert_cmpint (n_looks, <, 40);
  for (int i = 0; i < 10; i++)
    g_assert_true (vt_listener_look_for_descriptors ());
  g_assert_cmpint (n_looks, >=, 10);
}

/* Others take all but the reserve right after a look: what is taken unseen leaves half of that. */
static void
test_guard_half_blind (void)
{
  g_autoptr(GArray) taken = g_array_new (FALSE, FALSE, sizeof (int));
  int lower;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }
  set_limit (400);
  g_assert_true (vt_listener_look_for_descriptors ());
  while (count_free (400) > RESERVE)
    g_assert_true (take (taken));
  take_while_permitted (taken);
  g_assert_cmpint (count_free (400), >=, RESERVE / 2);

  /* The same by a lower limit. */
  close_all (taken);
  g_assert_true (vt_listener_look_for_descriptors ());
  lower = RESERVE + 400 - count_free (400);
  set_limit ((rlim_t) lower);
  take_while_permitted (taken);
  g_assert_cmpint (count_free (lower), >=, RESERVE / 2);
  close_all (taken);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/listener/descriptors/guard-is-exact", test_guard_is_exact);
  g_test_add_func ("/listener/descriptors/looks-seldom", test_guard_looks_seldom);
  g_test_add_func ("/listener/descriptors/half-blind", test_guard_half_blind);
  return g_test_run ();
}
