/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "relay-fixture.h"

#include <unistd.h>

#include <glib/gstdio.h>

#include "loopback.h"

static void
note_end (GPtrArray *relays, GPtrArray *ends, VtRelay *relay, const GError *error)
{
  g_ptr_array_add (ends, error != NULL ? g_error_copy (error) : NULL);
  g_assert_true (g_ptr_array_remove (relays, relay));
  vt_relay_free (relay, NULL);
}

static void
user_finished_cb (VtRelay *relay, const GError *error, void *user_data)
{
  RelayFixture *self = user_data;

  note_end (self->user_relays, self->user_ends, relay, error);
}

static void
target_finished_cb (VtRelay *relay, const GError *error, void *user_data)
{
  RelayFixture *self = user_data;

  note_end (self->target_relays, self->target_ends, relay, error);
}

static void
stream_opened_cb (VtMuxStream *stream, void *user_data)
{
  RelayFixture *self = user_data;
  g_autoptr(GSocketAddress) user = vt_mux_stream_dup_user_address (stream);
  g_autoptr(VtStream) object = vt_stream_new (stream, self->forward, user);
  VtRelay *relay = vt_relay_new_for_target (object, NULL, target_finished_cb, self);

  g_ptr_array_add (self->target_relays, relay);
  vt_relay_dial (relay, &self->quota);
}

static void
accept_user (RelayFixture *self)
{
  int fd = loopback_accept (self->user_listener);
  VtStream *stream;

  if (fd < 0)
    return;
  stream = vt_stream_new (tunnel_open_stream (self->tunnel), self->forward, NULL);
  g_ptr_array_add (self->user_streams, stream);
  g_ptr_array_add (self->user_relays,
                   vt_relay_new_for_user (stream, fd, NULL, user_finished_cb, self));
}

static void
accept_target (RelayFixture *self)
{
  int fd = self->target_listener >= 0 ? loopback_accept (self->target_listener) : -1;
  Talker *target;

  if (fd < 0)
    return;
  target = talker_new (fd);
  target->echo = self->target_echoes;
  talker_listen (target, self->target_read_size);
  g_ptr_array_add (self->targets, target);
}

void
relay_fixture_accept (RelayFixture *self)
{
  accept_user (self);
  accept_target (self);
}

static void
clear_error (gpointer error)
{
  if (error != NULL)
    g_error_free (error);
}

void
relay_fixture_aim (RelayFixture *self, const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(VtTarget) target = vt_target_parse (text, &error);

  g_assert_no_error (error);
  g_clear_object (&self->forward);
  self->forward = vt_forward_new (9000, target);
}

static void
set_up (RelayFixture *self, const char *target, unsigned int protocol)
{
  g_autofree char *text = NULL;

  self->n_descriptors = loopback_count_descriptors ();
  self->tunnel = tunnel_new (NULL, protocol);
  self->quota.max = 8;
  self->tunnel->stream_opened = stream_opened_cb;
  self->tunnel->user_data = self;
  self->user_listener = loopback_listen (&self->user_port);
  self->target_listener = loopback_listen (&self->target_port);
  self->target_read_size = 65536;
  self->users = g_ptr_array_new_with_free_func ((GDestroyNotify) talker_free);
  self->targets = g_ptr_array_new_with_free_func ((GDestroyNotify) talker_free);
  self->user_streams = g_ptr_array_new_with_free_func (g_object_unref);
  self->user_relays = g_ptr_array_new ();
  self->target_relays = g_ptr_array_new ();
  self->user_ends = g_ptr_array_new_with_free_func (clear_error);
  self->target_ends = g_ptr_array_new_with_free_func (clear_error);
  text = target != NULL ? g_strdup (target) : g_strdup_printf ("127.0.0.1:%u", self->target_port);
  relay_fixture_aim (self, text);
}

void
relay_fixture_set_up (RelayFixture *self, gconstpointer data)
{
  set_up (self, data, 1);
}

void
relay_fixture_set_up_v2 (RelayFixture *self, gconstpointer data)
{
  set_up (self, data, 2);
}

void
relay_fixture_tear_down (RelayFixture *self, gconstpointer data)
{
  g_clear_pointer (&self->users, g_ptr_array_unref);
  g_clear_pointer (&self->targets, g_ptr_array_unref);
  close (self->user_listener);
  if (self->target_listener >= 0)
    close (self->target_listener);
  self->target_listener = -1;
  self->tunnel->held = FALSE;
  RUN_UNTIL (self->user_relays->len == 0 && self->target_relays->len == 0);
  RUN_UNTIL (loopback_count_descriptors () == self->n_descriptors);

  g_clear_pointer (&self->tunnel, tunnel_free);
  g_clear_object (&self->forward);
  g_clear_pointer (&self->user_streams, g_ptr_array_unref);
  g_clear_pointer (&self->user_relays, g_ptr_array_unref);
  g_clear_pointer (&self->target_relays, g_ptr_array_unref);
  g_clear_pointer (&self->user_ends, g_ptr_array_unref);
  g_clear_pointer (&self->target_ends, g_ptr_array_unref);
  if (self->target_path != NULL)
    g_unlink (self->target_path);
  g_clear_pointer (&self->target_path, g_free);
}

Talker *
relay_fixture_connect (RelayFixture *self)
{
  unsigned int n = self->user_relays->len + self->user_ends->len;
  Talker *user = talker_new (loopback_connect (self->user_port));

  g_ptr_array_add (self->users, user);
  RUN_RELAYS_UNTIL (self, self->user_relays->len + self->user_ends->len > n);
  return user;
}

Talker *
relay_fixture_target (RelayFixture *self, unsigned int n)
{
  RUN_RELAYS_UNTIL (self, self->targets->len > n);
  return self->targets->pdata[n];
}
