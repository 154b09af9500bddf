/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-client-struct-private.h"

#include "vt-clock-private.h"

/* How long a server may take to answer whether it is still there, after the network has changed. */
#define PROBE_PATIENCE (3 * G_TIME_SPAN_SECOND)

static void
set_next (VtClient *self, gint64 next)
{
  if (self->retry.next == next)
    return;
  self->retry.next = next;
  g_object_notify_by_pspec (G_OBJECT (self), vt_client_props[VT_CLIENT_PROP_NEXT_RETRY]);
}

static void
timer_cb (void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  vt_client_start_attempt (self);
}

void
vt_client_retry_init (VtClient *self)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  self->retry.timer = vt_timer_new (clock, "client retry", timer_cb, self);
}

void
vt_client_retry_clear (VtClient *self)
{
  g_clear_pointer (&self->retry.timer, vt_timer_free);
  g_clear_pointer (&self->retry.watch, vt_network_watch_free);
  g_clear_object (&self->retry.monitor);
}

static gint64
draw_wait (VtClient *self)
{
  VtBackoff *backoff = &self->retry.backoff;

  backoff->min = (gint64) (self->reconnect_min * G_TIME_SPAN_SECOND);
  backoff->max = (gint64) (self->reconnect_max * G_TIME_SPAN_SECOND);
  return vt_backoff_next (backoff, g_random_int ());
}

void
vt_client_retry_wait (VtClient *self, unsigned int at_least)
{
  gint64 wait = draw_wait (self);

  wait = MAX (wait, (gint64) at_least * G_TIME_SPAN_SECOND);
  self->retry.last_wait = wait;
  if (self->retry.no_wait)
    wait = 0;
  self->retry.no_wait = FALSE;
  vt_timer_start (self->retry.timer, wait);
  set_next (self, g_get_monotonic_time () + wait);
}

void
vt_client_retry_stop (VtClient *self)
{
  vt_timer_stop (self->retry.timer);
  self->retry.no_wait = FALSE;
  set_next (self, 0);
}

void
vt_client_retry_note_up (VtClient *self)
{
  self->retry.up_since = g_get_monotonic_time ();
}

/* A link that falls again as soon as it stands is no success. */
void
vt_client_retry_note_down (VtClient *self)
{
  if (g_get_monotonic_time () - self->retry.up_since > self->retry.last_wait)
    vt_backoff_reset (&self->retry.backoff);
}

static void
network_changed_cb (void *user_data)
{
  g_autoptr(VtClient) self = g_object_ref (user_data);

  if (vt_timer_is_running (self->retry.timer))
    vt_client_start_attempt (self);
  else if (self->attempt != NULL)
    self->retry.no_wait = TRUE;
  else if (self->tunnel != NULL)
    vt_client_tunnel_probe (self->tunnel, PROBE_PATIENCE);
}

void
vt_client_retry_update_watch (VtClient *self)
{
  g_autoptr(VtClock) clock = NULL;

  if (!self->reconnect || self->state == VT_CLIENT_STATE_CLOSED)
    {
      g_clear_pointer (&self->retry.watch, vt_network_watch_free);
      return;
    }
  if (self->retry.watch != NULL)
    return;
  clock = vt_clock_get (NULL);
  self->retry.watch = vt_network_watch_new (self->retry.monitor, clock, network_changed_cb, self);
}

void
vt_client_set_network_monitor (VtClient *self, GNetworkMonitor *monitor)
{
  g_set_object (&self->retry.monitor, monitor);
}

/**
 * vt_client_retry_now:
 * @self: a client
 *
 * Tries to connect now, if the client waits for [property@Vt.Client:next-retry]; else it does
 * nothing.
 *
 * For whoever knows better than a clock, such as a user who asks for it. Where the attempt fails,
 * the next wait is as long as it would have been without.
 *
 * Since: 1.0
 */
void
vt_client_retry_now (VtClient *self)
{
  g_autoptr(VtClient) alive = NULL;

  g_return_if_fail (VT_IS_CLIENT (self));

  alive = g_object_ref (self);
  if (vt_timer_is_running (self->retry.timer))
    vt_client_start_attempt (self);
}
