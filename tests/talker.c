/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "talker.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"

#define BLOCK 65536

static gboolean
wants_to_send (Talker *self)
{
  return !self->shut && (self->sent < self->to_send->len || self->end_when_sent);
}

static void
update (Talker *self)
{
  GIOCondition condition = 0;

  if (self->error == 0 && !self->ended && self->read_size > 0)
    condition |= G_IO_IN;
  if (self->error == 0 && wants_to_send (self))
    condition |= G_IO_OUT;
  if (self->watch != NULL)
    vt_watch_set_condition (self->watch, condition);
}

static void
note_error (Talker *self, int code)
{
  if (code != EAGAIN)
    self->error = code;
}

static void
receive (Talker *self)
{
  char block[BLOCK];
  gssize n = recv (self->fd, block, MIN (sizeof block, self->read_size), MSG_DONTWAIT);

  if (n < 0)
    note_error (self, errno);
  else if (n == 0)
    self->ended = TRUE;
  else
    g_byte_array_append (self->received, (const uint8_t *) block, n);
  if (n > 0 && self->echo)
    g_byte_array_append (self->to_send, (const uint8_t *) block, n);
  if (n == 0 && self->echo)
    self->end_when_sent = TRUE;
}

static void
transmit (Talker *self)
{
  gssize n = 0;

  if (self->sent < self->to_send->len)
    n = send (self->fd, self->to_send->data + self->sent, self->to_send->len - self->sent,
              MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0)
    note_error (self, errno);
  else
    self->sent += n;
  if (self->sent == self->to_send->len && self->end_when_sent)
    {
      self->shut = TRUE;
      shutdown (self->fd, SHUT_WR);
    }
}

static void
watch_cb (GIOCondition condition, void *user_data)
{
  Talker *self = user_data;

  if ((condition & (G_IO_OUT | G_IO_ERR | G_IO_HUP)) && wants_to_send (self))
    transmit (self);
  if ((condition & (G_IO_IN | G_IO_ERR | G_IO_HUP)) && self->error == 0)
    receive (self);
  update (self);
}

Talker *
talker_new (int fd)
{
  Talker *self = g_new0 (Talker, 1);
  g_autoptr(VtPoller) poller = vt_poller_get (NULL);

  self->fd = fd;
  self->to_send = g_byte_array_new ();
  self->received = g_byte_array_new ();
  self->read_size = BLOCK;
  self->watch = vt_watch_new (poller, fd, G_IO_IN, watch_cb, self, NULL);
  g_assert_nonnull (self->watch);
  return self;
}

void
talker_free (Talker *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  if (self->fd >= 0)
    close (self->fd);
  g_byte_array_unref (self->to_send);
  g_byte_array_unref (self->received);
  g_free (self);
}

void
talker_send (Talker *self, const void *data, size_t length)
{
  g_byte_array_append (self->to_send, data, length);
  update (self);
}

void
talker_say (Talker *self, const char *text)
{
  talker_send (self, text, strlen (text));
}

void
talker_end (Talker *self)
{
  self->end_when_sent = TRUE;
  update (self);
}

void
talker_listen (Talker *self, size_t read_size)
{
  self->read_size = read_size;
  update (self);
}

void
talker_reset (Talker *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  loopback_reset (self->fd);
  self->fd = -1;
}

void
talker_close (Talker *self)
{
  g_clear_pointer (&self->watch, vt_watch_free);
  close (self->fd);
  self->fd = -1;
}

gboolean
talker_heard (Talker *self, const char *text)
{
  return self->received->len == strlen (text)
         && memcmp (self->received->data, text, self->received->len) == 0;
}
