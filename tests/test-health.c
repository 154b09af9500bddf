/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-health-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "free-port.h"
#include "loopback.h"
#include "vt-error.h"
#include "vt-forward-private.h"

#define INTERVAL 10
/* A tenth more than the interval. */
#define LONGEST (11 * G_TIME_SPAN_SECOND)
#define SHORTEST (9 * G_TIME_SPAN_SECOND)

typedef struct {
  VtPoller *poller;   /* owned */
  VtClock *clock;     /* owned, a fake one */
  int listener;       /* -1: the target is down */
  guint16 port;       /* of the target */
  VtForward *forward; /* owned */
  VtHealth *health;   /* owned, nullable */
  unsigned int n_notified;
  gboolean free_in_notification;
  unsigned int n_descriptors;
} Fixture;

static void
notify_cb (VtForward *forward, GParamSpec *pspec, Fixture *self)
{
  self->n_notified++;
  if (self->free_in_notification)
    g_clear_pointer (&self->health, vt_health_free);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autofree char *text = NULL;
  g_autoptr(VtTarget) target = NULL;

  self->poller = loopback_warm_up ();
  self->n_descriptors = loopback_count_descriptors ();
  self->clock = vt_clock_new_fake ();
  self->port = find_free_port ();
  self->listener = loopback_listen_at (self->port);
  text = g_strdup_printf ("127.0.0.1:%u", self->port);
  target = vt_target_parse (text, NULL);
  self->forward = vt_forward_new (9000, target);
  vt_forward_set_health_interval (self->forward, INTERVAL);
  vt_forward_set_state (self->forward, VT_FORWARD_STATE_LISTENING, NULL);
  g_signal_connect (self->forward, "notify::state", G_CALLBACK (notify_cb), self);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  g_clear_pointer (&self->health, vt_health_free);
  if (self->listener >= 0)
    close (self->listener);
  g_assert_cmpuint (G_OBJECT (self->forward)->ref_count, ==, 1);
  g_object_unref (self->forward);
  RUN_UNTIL (loopback_count_descriptors () == self->n_descriptors);
  vt_clock_unref (self->clock);
  vt_poller_unref (self->poller);
}

static void
stop_target (Fixture *self)
{
  close (self->listener);
  self->listener = -1;
}

static void
start_target (Fixture *self)
{
  self->listener = loopback_listen_at (self->port);
}

/* The next look, and what it has found is told. */
static int
take_look (Fixture *self)
{
  int fd = -1;

  RUN_UNTIL ((fd = loopback_accept (self->listener)) >= 0);
  return fd;
}

static void
run_until_state (Fixture *self, VtForwardState state)
{
  RUN_UNTIL ((vt_clock_advance (self->clock, 1), vt_forward_get_state (self->forward) == state));
}

/* Whether nobody has come, however often the context turns. */
static gboolean
is_left_alone (Fixture *self)
{
  int fd;

  while (g_main_context_iteration (NULL, FALSE))
    ;
  fd = loopback_accept (self->listener);
  if (fd >= 0)
    close (fd);
  return fd < 0;
}

/* In steps: the clock is then at most one of them past the look, from which the next one counts. */
#define STEP ((LONGEST - SHORTEST) / 10)

static int
advance_to_look (Fixture *self)
{
  int fd = -1;

  for (gint64 waited = 0; fd < 0 && waited <= LONGEST - SHORTEST + STEP; waited += STEP)
    {
      vt_clock_advance (self->clock, STEP);
      fd = loopback_accept (self->listener);
    }
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
test_looks (Fixture *self, gconstpointer data)
{
  char byte;
  int fd;

  self->health = vt_health_new (self->forward, NULL, self->clock);
  vt_clock_advance (self->clock, 0);
  for (unsigned int i = 0; i < 3; i++)
    {
      fd = i == 0 ? take_look (self) : advance_to_look (self);
      /* It is ended in order, and nothing was said. */
      RUN_UNTIL (loopback_read (fd, &byte, 1) == 0);
      close (fd);
      vt_clock_advance (self->clock, SHORTEST - STEP - 1);
      g_assert_true (is_left_alone (self));
    }
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);
  g_assert_cmpuint (self->n_notified, ==, 0);
}

static void
test_down_and_up (Fixture *self, gconstpointer data)
{
  int fd;

  stop_target (self);
  self->health = vt_health_new (self->forward, NULL, self->clock);
  run_until_state (self, VT_FORWARD_STATE_TARGET_DOWN);
  g_assert_error (vt_forward_get_error (self->forward), VT_ERROR, VT_ERROR_TARGET_REFUSED);
  g_assert_cmpuint (self->n_notified, ==, 1);

  start_target (self);
  vt_clock_advance (self->clock, LONGEST);
  fd = take_look (self);
  run_until_state (self, VT_FORWARD_STATE_LISTENING);
  g_assert_null (vt_forward_get_error (self->forward));
  g_assert_cmpuint (self->n_notified, ==, 2);
  close (fd);
}

/* What a user's connection comes to counts, and is looked into. */
static void
test_users (Fixture *self, gconstpointer data)
{
  g_autoptr(GError) refused = g_error_new_literal (VT_ERROR, VT_ERROR_TARGET_REFUSED, "no");
  g_autoptr(GError) limit = g_error_new_literal (VT_ERROR, VT_ERROR_LIMIT, "no descriptors");

  self->health = vt_health_new (self->forward, NULL, self->clock);
  vt_clock_advance (self->clock, 0);
  close (take_look (self));
  RUN_UNTIL (is_left_alone (self));

  vt_forward_note_dial (self->forward, limit);
  vt_clock_advance (self->clock, 1);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);

  vt_forward_note_dial (self->forward, refused);
  /* Not at once: whoever notes it may be in the middle of something. */
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);
  vt_clock_advance (self->clock, 1);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_TARGET_DOWN);
  vt_forward_note_dial (self->forward, NULL);
  vt_clock_advance (self->clock, 1);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);

  vt_forward_note_dial (self->forward, refused);
  vt_clock_advance (self->clock, G_TIME_SPAN_SECOND);
  close (take_look (self));
  run_until_state (self, VT_FORWARD_STATE_LISTENING);

  g_clear_pointer (&self->health, vt_health_free);
  vt_forward_note_dial (self->forward, refused);
  vt_clock_advance (self->clock, 1);
  g_assert_cmpint (vt_forward_get_state (self->forward), ==, VT_FORWARD_STATE_LISTENING);
}

/* A state that is another's to tell is left alone. */
static void
test_other_states (Fixture *self, gconstpointer data)
{
  static const VtForwardState states[] = { VT_FORWARD_STATE_IDLE, VT_FORWARD_STATE_PENDING,
                                           VT_FORWARD_STATE_FAILED };
  g_autoptr(GError) refused = g_error_new_literal (VT_ERROR, VT_ERROR_TARGET_REFUSED, "no");

  self->health = vt_health_new (self->forward, NULL, self->clock);
  for (unsigned int i = 0; i < 2 * G_N_ELEMENTS (states); i++)
    {
      vt_forward_set_state (self->forward, states[i / 2], NULL);
      vt_forward_note_dial (self->forward, i % 2 == 0 ? refused : NULL);
      vt_clock_advance (self->clock, 1);
      g_assert_cmpint (vt_forward_get_state (self->forward), ==, states[i / 2]);
    }
}

static void
test_freed_in_notification (Fixture *self, gconstpointer data)
{
  stop_target (self);
  self->free_in_notification = TRUE;
  self->health = vt_health_new (self->forward, NULL, self->clock);
  run_until_state (self, VT_FORWARD_STATE_TARGET_DOWN);
  g_assert_null (self->health);
}

static void
test_freed_while_it_looks (Fixture *self, gconstpointer data)
{
  self->health = vt_health_new (self->forward, NULL, self->clock);
  vt_clock_advance (self->clock, 0);
  g_clear_pointer (&self->health, vt_health_free);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  g_assert_cmpuint (self->n_notified, ==, 0);
}

/* A target of the PROXY protocol is told that it is nobody. */
static void
test_proxy_protocol (Fixture *self, gconstpointer data)
{
  static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";
  static const char unknown[] = "PROXY UNKNOWN\r\n";
  unsigned int version = (unsigned int) GPOINTER_TO_INT (data);
  const char *expected = version == 1 ? unknown : local;
  gssize length = version == 1 ? sizeof unknown - 1 : sizeof local;
  char buffer[64];
  gssize n;
  int fd;

  vt_forward_set_proxy_protocol (self->forward, version);
  self->health = vt_health_new (self->forward, NULL, self->clock);
  vt_clock_advance (self->clock, 0);
  fd = take_look (self);
  RUN_UNTIL ((n = loopback_read (fd, buffer, sizeof buffer)) > 0);
  g_assert_cmpmem (buffer, n, expected, length);
  RUN_UNTIL (loopback_read (fd, buffer, 1) == 0);
  close (fd);
}

/* A target that says something first is not reset for it. */
static void
test_greeting (Fixture *self, gconstpointer data)
{
  char byte;
  gssize n;
  int fd;

  self->health = vt_health_new (self->forward, NULL, self->clock);
  vt_clock_advance (self->clock, 0);
  fd = take_look (self);
  for (unsigned int i = 0; i < 2; i++)
    {
      loopback_write (fd, "SSH-2.0-x\r\n");
      RUN_UNTIL ((n = loopback_read (fd, &byte, 1)) != -EAGAIN);
      g_assert_cmpint (n, ==, 0);
    }
  close (fd);
}

#define ADD(name, data, func) g_test_add ("/health/" name, Fixture, data, set_up, func, tear_down)

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  ADD ("looks", NULL, test_looks);
  ADD ("down-and-up", NULL, test_down_and_up);
  ADD ("users", NULL, test_users);
  ADD ("other-states", NULL, test_other_states);
  ADD ("freed/in-notification", NULL, test_freed_in_notification);
  ADD ("freed/while-it-looks", NULL, test_freed_while_it_looks);
  ADD ("proxy-protocol/1", GINT_TO_POINTER (1), test_proxy_protocol);
  ADD ("proxy-protocol/2", GINT_TO_POINTER (2), test_proxy_protocol);
  ADD ("greeting", NULL, test_greeting);
  return g_test_run ();
}
