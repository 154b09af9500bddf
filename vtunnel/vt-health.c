/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-health-private.h"

#include "vt-error.h"
#include "vt-forward-private.h"
#include "vt-local-end-private.h"
#include "vt-proxy-header-private.h"
#include "vt-relay-dial-private.h"

#define DIAL_TIMEOUT (5 * G_TIME_SPAN_SECOND)
/* After a user's connection has failed: whether it is the target, and when it is back. */
#define SOON G_TIME_SPAN_SECOND

struct _VtHealth {
  VtForward *forward;  /* owned */
  GTlsDatabase *trust; /* owned, nullable */
  VtRelayDial *dial;   /* owned, NULL unless it looks */
  VtTimer *next;       /* owned: when it looks again */
  VtTimer *tell;       /* owned: when the forward is told what was found */
  GError *found;       /* owned: that; NULL: it answers */
};

/* What says nothing about the target: this process has too much to do. */
static gboolean
is_about_target (const GError *error)
{
  return error == NULL || !g_error_matches (error, VT_ERROR, VT_ERROR_LIMIT);
}

/* Whoever hears of it may end everything: so it is told in a dispatch of its own, and last. */
static void
tell_cb (void *user_data)
{
  VtHealth *self = user_data;
  g_autoptr(VtForward) forward = g_object_ref (self->forward);
  g_autoptr(GError) error = g_steal_pointer (&self->found);
  VtForwardState state = vt_forward_get_state (forward);

  if (state != VT_FORWARD_STATE_LISTENING && state != VT_FORWARD_STATE_TARGET_DOWN)
    return;
  vt_forward_set_state (forward,
                        error != NULL ? VT_FORWARD_STATE_TARGET_DOWN : VT_FORWARD_STATE_LISTENING,
                        error);
}

static void
note (VtHealth *self, const GError *error)
{
  if (!is_about_target (error))
    return;
  g_clear_error (&self->found);
  self->found = error != NULL ? g_error_copy (error) : NULL;
  vt_timer_start (self->tell, 0);
}

/* A tenth more or less, so that many of them do not go on in step. */
static void
wait_for_next (VtHealth *self)
{
  gint64 interval = (gint64) vt_forward_get_health_interval (self->forward) * G_TIME_SPAN_SECOND;

  vt_timer_start (self->next, interval * 9 / 10 + (gint64) (g_random_double () * interval / 5));
}

/* What the target has said meanwhile would turn a mere close into a reset. */
static void
leave (int fd, GIOStream *connection)
{
  VtLocalEnd *end = vt_local_end_new (fd, connection, 0, NULL, NULL, NULL);

  if (end != NULL)
    vt_local_end_close (end);
}

static void
dialled_cb (int fd, GIOStream *connection, const GError *error, void *user_data)
{
  VtHealth *self = user_data;

  note (self, error);
  if (error == NULL)
    leave (fd, connection);
  g_clear_pointer (&self->dial, vt_relay_dial_free);
  wait_for_next (self);
}

static void
look_cb (void *user_data)
{
  VtHealth *self = user_data;
  unsigned int version = vt_forward_get_proxy_protocol (self->forward);
  g_autoptr(GBytes) header = version != 0 ? vt_proxy_header_new_local (version) : NULL;

  if (self->dial != NULL)
    return;
  self->dial = vt_relay_dial_new (vt_forward_get_target (self->forward), self->trust, header,
                                  DIAL_TIMEOUT, dialled_cb, self);
  vt_relay_dial_start (self->dial, NULL);
}

/* A user's connection. */
static void
user_dialled_cb (const GError *error, void *user_data)
{
  VtHealth *self = user_data;

  note (self, error);
  if (error != NULL && self->dial == NULL)
    vt_timer_start (self->next, SOON);
}

VtHealth *
vt_health_new (VtForward *forward, GTlsDatabase *trust, VtClock *clock)
{
  VtHealth *self = g_new0 (VtHealth, 1);
  g_autoptr(VtClock) used = clock != NULL ? vt_clock_ref (clock) : vt_clock_get (NULL);

  self->forward = g_object_ref (forward);
  g_set_object (&self->trust, trust);
  self->next = vt_timer_new (used, "target health", look_cb, self);
  self->tell = vt_timer_new (used, "target health found", tell_cb, self);
  vt_forward_set_dial_func (forward, user_dialled_cb, self);
  vt_timer_start (self->next, 0);
  return self;
}

void
vt_health_free (VtHealth *self)
{
  vt_forward_set_dial_func (self->forward, NULL, NULL);
  g_clear_pointer (&self->dial, vt_relay_dial_free);
  vt_timer_free (self->next);
  vt_timer_free (self->tell);
  g_clear_error (&self->found);
  g_clear_object (&self->trust);
  g_object_unref (self->forward);
  g_free (self);
}
