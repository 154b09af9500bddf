/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-mux-internal-private.h"

/* A timer that is later than this was late because this process did not run. */
#define OVERSLEPT (G_USEC_PER_SEC / 2)

static gint64
get_patience (VtMux *self)
{
  return self->config.ping_interval + self->config.ping_timeout;
}

static void
wait_for_life (VtMux *self, gint64 delay)
{
  self->dead_due = vt_clock_get_time (self->clock) + delay;
  vt_timer_start (self->dead_timer, delay);
}

/* Who was stopped, or blocked by its application, has not listened meanwhile: that says nothing
 * about the other side. Once for each silence, or a loop that is always late would wait for
 * ever. */
static gboolean
has_overslept (VtMux *self, gint64 due, gint64 *forgiven)
{
  if (vt_clock_get_time (self->clock) - due < OVERSLEPT || *forgiven == self->last_seen)
    return FALSE;

  *forgiven = self->last_seen;
  return TRUE;
}

/* Looks rarely instead of being moved by each message. */
static void
dead_cb (void *user_data)
{
  VtMux *self = user_data;
  gint64 silence = vt_clock_get_time (self->clock) - self->last_seen;

  if (silence < get_patience (self))
    wait_for_life (self, get_patience (self) - silence);
  else if (has_overslept (self, self->dead_due, &self->forgiven))
    wait_for_life (self, self->config.ping_timeout);
  else
    self->handlers.silent (self->user_data);
}

/* Where there is one, both sides ping, from then on; in v1 only the client does. */
static gboolean
has_greeting (VtMux *self)
{
  return self->protocol->set_peer_limits != NULL;
}

/* Where pings carry no time, one is timed at a time, and answers come in the order of the pings. */
static void
send_ping (VtMux *self)
{
  self->n_pings++;
  if (self->timed_ping == 0 || has_greeting (self))
    {
      self->timed_ping = self->n_pings;
      self->timed_ping_sent = vt_clock_get_time (self->clock);
    }
  if (self->config.ping_interval > 0)
    vt_timer_start (self->ping_timer, self->config.ping_interval);
  self->protocol->ping (self);
}

static void
ping_cb (void *user_data)
{
  send_ping (user_data);
}

static void
wait_for_answer (VtMux *self)
{
  self->probe_due = vt_clock_get_time (self->clock) + self->probe_patience;
  vt_timer_start (self->probe_timer, self->probe_patience);
}

/* Who does not read cannot hear. */
static void
probe_cb (void *user_data)
{
  VtMux *self = user_data;

  if (self->last_seen >= self->probed_at || self->paused)
    return;
  if (has_overslept (self, self->probe_due, &self->probe_forgiven))
    wait_for_answer (self);
  else
    self->handlers.silent (self->user_data);
}

void
vt_mux_probe (VtMux *self, gint64 patience)
{
  if (self->suspended || self->failure != NULL || vt_timer_is_running (self->probe_timer))
    return;

  self->probed_at = vt_clock_get_time (self->clock);
  self->probe_patience = patience;
  wait_for_answer (self);
  if (self->config.role == VT_MUX_CLIENT || has_greeting (self))
    send_ping (self);
}

void
vt_mux_keepalive_start (VtMux *self)
{
  self->rtt = self->min_rtt = -1;
  self->forgiven = self->probe_forgiven = -1;
  self->last_seen = vt_clock_get_time (self->clock);
  self->dead_timer = vt_timer_new (self->clock, "mux dead peer", dead_cb, self);
  self->ping_timer = vt_timer_new (self->clock, "mux ping", ping_cb, self);
  self->probe_timer = vt_timer_new (self->clock, "mux probe", probe_cb, self);
  if (self->config.ping_interval == 0)
    return;

  wait_for_life (self, get_patience (self));
  if (self->config.role == VT_MUX_CLIENT && !has_greeting (self))
    vt_timer_start (self->ping_timer, self->config.ping_interval);
}

void
vt_mux_keepalive_greet (VtMux *self)
{
  if (has_greeting (self) && self->failure == NULL)
    send_ping (self);
}

/* The path may be another one now. */
void
vt_mux_keepalive_restart (VtMux *self)
{
  self->min_rtt = -1;
  self->last_seen = vt_clock_get_time (self->clock);
  vt_mux_keepalive_resume (self);
  vt_mux_keepalive_greet (self);
}

/* Who does not read cannot hear; pings go on, so that the other side does not lose patience. */
void
vt_mux_keepalive_pause (VtMux *self)
{
  self->timed_ping = 0;
  vt_timer_stop (self->dead_timer);
}

/* The whole patience again, whatever the last sign of life: dead_cb () looks at that only then. */
void
vt_mux_keepalive_resume (VtMux *self)
{
  if (self->config.ping_interval != 0)
    wait_for_life (self, get_patience (self));
}

void
vt_mux_keepalive_stop (VtMux *self)
{
  self->timed_ping = 0;
  vt_timer_stop (self->dead_timer);
  vt_timer_stop (self->ping_timer);
  vt_timer_stop (self->probe_timer);
}

static void
measure (VtMux *self)
{
  self->timed_ping = 0;
  self->rtt = vt_clock_get_time (self->clock) - self->timed_ping_sent;
  if (self->min_rtt < 0 || self->rtt < self->min_rtt)
    self->min_rtt = self->rtt;
  if (self->handlers.rtt_measured != NULL)
    self->handlers.rtt_measured (self->rtt, self->user_data);
}

void
vt_mux_note_pong (VtMux *self)
{
  if (self->n_pongs >= self->n_pings)
    return;

  self->n_pongs++;
  if (self->n_pongs == self->timed_ping)
    measure (self);
}

void
vt_mux_note_timed_pong (VtMux *self, gint64 sent)
{
  if (self->timed_ping != 0 && sent == self->timed_ping_sent)
    measure (self);
}

void
vt_mux_note_alive (VtMux *self)
{
  self->last_seen = vt_clock_get_time (self->clock);
}

gint64
vt_mux_get_last_seen (VtMux *self)
{
  return self->last_seen;
}

gint64
vt_mux_get_rtt (VtMux *self)
{
  return self->rtt;
}
