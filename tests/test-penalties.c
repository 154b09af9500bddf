/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-penalties-private.h"

typedef struct {
  VtClock *clock;         /* owned */
  VtPenalties *penalties; /* owned */
} Fixture;

static void
set_up (Fixture *self, const void *data)
{
  self->clock = vt_clock_new_fake ();
  self->penalties = vt_penalties_new (self->clock);
}

static void
tear_down (Fixture *self, const void *data)
{
  vt_penalties_free (self->penalties);
  vt_clock_unref (self->clock);
}

static unsigned int
fail (Fixture *self, const char *text)
{
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string (text);

  return vt_penalties_add_failure (self->penalties, address);
}

static unsigned int
ask (Fixture *self, const char *text)
{
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string (text);

  return vt_penalties_get_wait (self->penalties, address);
}

static void
fail_times (Fixture *self, const char *text, unsigned int times)
{
  for (unsigned int i = 0; i < times; i++)
    fail (self, text);
}

static void
test_grows (Fixture *self, const void *data)
{
  static const unsigned int waits[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300 };

  for (unsigned int i = 0; i < 4; i++)
    g_assert_cmpuint (fail (self, "192.0.2.1"), ==, 0);
  for (size_t i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      g_assert_cmpuint (ask (self, "192.0.2.1"), ==, 0);
      g_assert_cmpuint (fail (self, "192.0.2.1"), ==, waits[i]);
      g_assert_cmpuint (ask (self, "192.0.2.1"), ==, waits[i]);
      vt_clock_advance (self->clock, waits[i] * G_TIME_SPAN_SECOND - 1);
      g_assert_cmpuint (ask (self, "192.0.2.1"), ==, 1);
      vt_clock_advance (self->clock, 1);
    }
}

/* Whoever asks during a wait does not make it longer. */
static void
test_asking (Fixture *self, const void *data)
{
  fail_times (self, "192.0.2.1", 6);
  for (unsigned int i = 0; i < 100; i++)
    g_assert_cmpuint (ask (self, "192.0.2.1"), ==, 2);
  vt_clock_advance (self->clock, 2 * G_TIME_SPAN_SECOND);
  g_assert_cmpuint (ask (self, "192.0.2.1"), ==, 0);
}

static void
test_window (Fixture *self, const void *data)
{
  for (unsigned int i = 0; i < 100; i++)
    {
      g_assert_cmpuint (fail (self, "192.0.2.1"), ==, 0);
      vt_clock_advance (self->clock, 15 * G_TIME_SPAN_SECOND);
    }
  fail_times (self, "192.0.2.2", 4);
  vt_clock_advance (self->clock, 59 * G_TIME_SPAN_SECOND);
  g_assert_cmpuint (fail (self, "192.0.2.2"), ==, 1);
}

static void
test_forgotten (Fixture *self, const void *data)
{
  g_autoptr(GInetAddress) address = g_inet_address_new_from_string ("192.0.2.1");

  fail_times (self, "192.0.2.1", 12);
  g_assert_true (vt_penalties_has_waited (self->penalties, address));
  vt_clock_advance (self->clock, 10 * 60 * G_TIME_SPAN_SECOND - 1);
  g_assert_true (vt_penalties_has_waited (self->penalties, address));
  vt_clock_advance (self->clock, 1);
  g_assert_false (vt_penalties_has_waited (self->penalties, address));
  g_assert_cmpuint (vt_penalties_get_size (self->penalties), ==, 0);
  g_assert_cmpuint (fail (self, "192.0.2.1"), ==, 0);
}

static void
test_others (Fixture *self, const void *data)
{
  fail_times (self, "192.0.2.1", 10);
  fail_times (self, "2001:db8:1:2::1", 10);
  g_assert_cmpuint (ask (self, "192.0.2.1"), >, 0);
  g_assert_cmpuint (ask (self, "192.0.2.2"), ==, 0);
  g_assert_cmpuint (ask (self, "2001:db8:1:2:ffff::9"), >, 0);
  g_assert_cmpuint (ask (self, "2001:db8:1:3::1"), ==, 0);
  /* The same bytes, as far as they go. */
  g_assert_cmpuint (ask (self, "c000:0201::"), ==, 0);
}

static void
test_bounded (Fixture *self, const void *data)
{
  fail_times (self, "192.0.2.1", 10);
  fail_times (self, "192.0.2.2", 10);
  for (unsigned int i = 0; i < 4094; i++)
    {
      g_autofree char *text = g_strdup_printf ("10.0.%u.%u", i / 256, i % 256);

      fail (self, text);
    }
  g_assert_cmpuint (vt_penalties_get_size (self->penalties), ==, 4096);
  fail (self, "192.0.2.1");
  for (unsigned int i = 0; i < 4000; i++)
    {
      g_autofree char *text = g_strdup_printf ("10.1.%u.%u", i / 256, i % 256);

      fail (self, text);
    }
  g_assert_cmpuint (vt_penalties_get_size (self->penalties), ==, 4096);
  g_assert_cmpuint (ask (self, "192.0.2.1"), >, 0);
  g_assert_cmpuint (ask (self, "192.0.2.2"), ==, 0);
}

#define ADD(path, func) g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/penalties/grows", test_grows);
  ADD ("/penalties/asking", test_asking);
  ADD ("/penalties/window", test_window);
  ADD ("/penalties/forgotten", test_forgotten);
  ADD ("/penalties/others", test_others);
  ADD ("/penalties/bounded", test_bounded);
  return g_test_run ();
}
