/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-relay-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "vt-clock-private.h"
#include "vt-error-private.h"
#include "vt-forward-private.h"
#include "vt-head-rewriter-private.h"
#include "vt-local-end-private.h"
#include "vt-proxy-header-private.h"
#include "vt-relay-page-private.h"

/* What one dispatch moves at most in one direction: one frame, then it is somebody else's turn. */
#define DISPATCH_BYTES (64 * 1024)

#define DIAL_TIMEOUT (30 * G_TIME_SPAN_SECOND)

/* After the tunnel's side has ended: how long the local side may take nothing of the rest. */
#define REST_TIMEOUT (60 * G_TIME_SPAN_SECOND)

/* There are thousands of these: no buffers here. Bytes go from a socket straight into a message,
 * and from a message straight into a socket. */
struct _VtRelay {
  VtStream *stream;         /* owned */
  VtMuxStream *mux;         /* owned; NULL once it is over and drained */
  VtLocalEnd *local;        /* owned; NULL while dialling, and at the end */
  VtRelayDial *dial;        /* owned; NULL unless dialling, or about to */
  VtRelayPage *page;        /* owned; NULL unless the user is told that there is no target */
  VtHeadRewriter *rewriter; /* owned, nullable */
  GByteArray *pending;      /* owned: what the rewriter gave out; NULL without one */
  VtTimer *timer;           /* owned; NULL until there is something to wait for */
  GError *failure;          /* owned; of the beginning, to be told later */
  gboolean *freed;          /* not owned, nullable: set if it is freed while it finishes */
  VtRelayFunc finished;
  void *user_data;              /* the caller's */
  unsigned int for_target : 1;  /* the client's side */
  unsigned int local_ended : 1; /* the local side will send no more */
  unsigned int local_deaf : 1;  /* the local side takes no more; what comes is dropped */
  unsigned int local_shut : 1;  /* the local side was told that no more comes */
  unsigned int waiting : 1;     /* for a turn in the tunnel */
  unsigned int blocked : 1;     /* the local side is full, or the dispatch's share is used up */
  unsigned int over : 1;        /* the stream ended in order; the rest is to be written */
  unsigned int unreadable : 1;  /* the rewriter has met with what it may not let pass */
};

static void
let_go (VtRelay *self)
{
  if (self->mux != NULL)
    vt_mux_stream_set_handlers (self->mux, NULL, NULL);
  g_clear_pointer (&self->mux, vt_mux_stream_unref);
  g_clear_pointer (&self->dial, vt_relay_dial_free);
  g_clear_pointer (&self->page, vt_relay_page_free);
  g_clear_pointer (&self->timer, vt_timer_free);
  g_clear_pointer (&self->rewriter, vt_head_rewriter_free);
  g_clear_pointer (&self->pending, g_byte_array_unref);
}

/* The end. `self` may be gone afterwards. */
static void
finish (VtRelay *self, const GError *error)
{
  g_autoptr(GError) copy = error != NULL ? g_error_copy (error) : NULL;
  gboolean freed = FALSE;

  let_go (self);
  self->freed = &freed;
  vt_stream_finish (self->stream, copy);
  /* Somebody who heard of it may have ended everything. */
  if (freed)
    return;
  self->freed = NULL;
  self->finished (self, copy, self->user_data);
}

static void
finish_in_order (VtRelay *self)
{
  g_clear_pointer (&self->local, vt_local_end_close);
  finish (self, NULL);
}

/* Both sides are ended with a reset. */
static void
abort_with (VtRelay *self, int code, const char *message)
{
  g_autoptr(GError) error = g_error_new_literal (VT_ERROR, code, message);

  vt_mux_stream_reset (self->mux, error);
  g_clear_pointer (&self->local, vt_local_end_reset);
  finish (self, error);
}

static void
abort_for_local (VtRelay *self)
{
  abort_with (self, VT_ERROR_CANCELLED,
              self->for_target ? _ ("The target broke the connection")
                               : _ ("The user broke the connection"));
}

static gboolean
may_read (VtRelay *self)
{
  return !self->local_ended && !self->waiting && !self->over;
}

static GIOCondition
get_condition (VtRelay *self)
{
  GIOCondition condition = 0;

  if (may_read (self))
    condition |= G_IO_IN;
  if (self->blocked)
    condition |= G_IO_OUT;
  /* Who waits for a turn, or for the other side to take more, still hears of a reset. */
  return condition != 0 ? condition : G_IO_ERR;
}

static void
update_condition (VtRelay *self)
{
  vt_local_end_set_condition (self->local, get_condition (self));
}

static void
rest_timeout_cb (void *user_data)
{
  VtRelay *self = user_data;

  abort_with (self, VT_ERROR_TIMED_OUT,
              self->for_target ? _ ("The target does not take what was sent to it")
                               : _ ("The user does not take what was sent"));
}

static void
ensure_timer (VtRelay *self, const char *name, VtTimerFunc func)
{
  g_autoptr(VtClock) clock = vt_clock_get (NULL);

  if (self->timer == NULL)
    self->timer = vt_timer_new (clock, name, func, self);
}

/* Towards the local side.
 *
 * The functions below return FALSE if the relay is finished: `self` may be gone then. */

/* The rewriter holds little, and is given more only when all that it gave out is gone. */
static void
rewrite (VtRelay *self, const uint8_t *data, size_t length)
{
  self->unreadable = !vt_head_rewriter_push (self->rewriter, data, length, self->pending);
  vt_mux_stream_consume (self->mux, length);
}

/* Finds out what is to be written next; NULL if there is nothing now. */
static const uint8_t *
next_piece (VtRelay *self, size_t *length)
{
  const uint8_t *data;

  if (self->rewriter == NULL)
    return vt_mux_stream_peek (self->mux, length);

  while (self->pending->len == 0 && !self->unreadable
         && (data = vt_mux_stream_peek (self->mux, length)) != NULL)
    rewrite (self, data, *length);
  if (self->pending->len == 0 && (self->over || vt_mux_stream_at_end (self->mux)))
    vt_head_rewriter_flush (self->rewriter, self->pending);
  *length = self->pending->len;
  return self->pending->len > 0 ? self->pending->data : NULL;
}

static void
piece_written (VtRelay *self, size_t length)
{
  if (self->rewriter == NULL)
    vt_mux_stream_consume (self->mux, length);
  else
    g_byte_array_remove_range (self->pending, 0, length);
  if (self->timer != NULL)
    vt_timer_start (self->timer, REST_TIMEOUT);
}

/* What could not be written does not come back, but the local side may have said something before
 * it left, and that is still to be read. */
static void
local_went_deaf (VtRelay *self)
{
  self->local_deaf = TRUE;
  self->blocked = FALSE;
  if (self->pending != NULL)
    g_byte_array_set_size (self->pending, 0);
}

static gboolean
drop_input (VtRelay *self)
{
  vt_mux_stream_discard (self->mux);
  if (!self->over && !self->local_ended)
    {
      update_condition (self);
      return TRUE;
    }
  abort_for_local (self);
  return FALSE;
}

static gboolean
write_failed (VtRelay *self, const GError *error)
{
  if (!vt_local_end_has_left (error))
    {
      abort_for_local (self);
      return FALSE;
    }
  local_went_deaf (self);
  return drop_input (self);
}

/* All that there is has been written. */
static gboolean
wrote_all (VtRelay *self)
{
  self->blocked = FALSE;
  if (self->unreadable)
    {
      abort_with (self, VT_ERROR_CANCELLED,
                  _ ("The user sent what is no HTTP/1.x request that can be forwarded"));
      return FALSE;
    }
  if (self->over)
    {
      finish_in_order (self);
      return FALSE;
    }
  /* Where both directions have ended, `closed` follows in this dispatch. */
  if (!self->local_shut && !self->local_ended && vt_mux_stream_can_half_close (self->mux)
      && vt_mux_stream_at_end (self->mux))
    {
      self->local_shut = TRUE;
      vt_local_end_shutdown_write (self->local);
    }
  update_condition (self);
  return TRUE;
}

static gboolean
write_to_local (VtRelay *self)
{
  size_t budget = DISPATCH_BYTES;
  const uint8_t *data;
  size_t length;

  if (self->local_deaf)
    return drop_input (self);

  while ((data = next_piece (self, &length)) != NULL)
    {
      g_autoptr(GError) error = NULL;
      gssize n = -1;

      if (budget > 0)
        n = vt_local_end_write (self->local, data, MIN (length, budget), &error);
      if (n < 0 && error != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
        return write_failed (self, error);
      if (n < 0)
        {
          self->blocked = TRUE;
          update_condition (self);
          return TRUE;
        }
      piece_written (self, n);
      budget -= n;
    }
  return wrote_all (self);
}

/* The stream has ended in order. */
static void
write_the_rest (VtRelay *self)
{
  ensure_timer (self, "relay's rest", rest_timeout_cb);
  vt_timer_start (self->timer, REST_TIMEOUT);
  if (self->blocked)
    update_condition (self);
  else
    write_to_local (self);
}

/* Towards the tunnel. */

static gboolean
local_ended (VtRelay *self)
{
  self->local_ended = TRUE;
  if (self->local_deaf)
    {
      abort_for_local (self);
      return FALSE;
    }
  /* Where a direction cannot end alone, this ends both: `closed` follows, and then what came from
   * the tunnel until now is written before the local side is closed. */
  vt_mux_stream_shutdown (self->mux);
  update_condition (self);
  return TRUE;
}

static gboolean
read_failed (VtRelay *self, const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK))
    {
      update_condition (self);
      return TRUE;
    }
  abort_for_local (self);
  return FALSE;
}

static gboolean
read_from_local (VtRelay *self)
{
  size_t budget = DISPATCH_BYTES;

  while (budget > 0)
    {
      g_autoptr(GError) error = NULL;
      size_t space = 0;
      uint8_t *place = vt_mux_stream_begin_write (self->mux, &space);
      gssize n;

      if (place == NULL)
        {
          self->waiting = TRUE;
          break;
        }
      n = vt_local_end_read (self->local, place, MIN (space, budget), &error);
      vt_mux_stream_end_write (self->mux, MAX (n, 0));
      if (n == 0)
        return local_ended (self);
      if (n < 0)
        return read_failed (self, error);
      /* Less than there was room for: it is empty, and the poller knows when it is not. An end that
       * is known of goes along with the last bytes. */
      if ((size_t) n < MIN (space, budget) && !vt_local_end_is_last (self->local))
        break;
      budget -= n;
    }
  update_condition (self);
  return TRUE;
}

static void
local_cb (GIOCondition condition, void *user_data)
{
  VtRelay *self = user_data;

  if ((condition & G_IO_ERR) && !self->blocked && !may_read (self))
    {
      abort_for_local (self);
      return;
    }
  /* An error or a hang-up shows itself in the read or the write that it makes possible. */
  if (self->blocked && (condition & (G_IO_OUT | G_IO_ERR | G_IO_HUP)) && !write_to_local (self))
    return;
  if (may_read (self) && (condition & (G_IO_IN | G_IO_ERR | G_IO_HUP)))
    read_from_local (self);
}

/* The mux's events. */

static void
readable_cb (VtMuxStream *mux, void *user_data)
{
  VtRelay *self = user_data;

  if (self->local != NULL && !self->blocked)
    write_to_local (self);
}

static void
writable_cb (VtMuxStream *mux, void *user_data)
{
  VtRelay *self = user_data;

  self->waiting = FALSE;
  if (self->local != NULL && may_read (self))
    read_from_local (self);
}

/* Where the protocol has but one way to close, a target that was never reached looks like one that
 * had nothing to say. A user is better told that the connection broke than that all is well. */
static gboolean
looks_refused (VtRelay *self)
{
  return !self->for_target && !self->local_ended && !vt_mux_stream_can_half_close (self->mux)
         && vt_mux_stream_get_bytes_received (self->mux) == 0;
}

static void
closed_cb (VtMuxStream *mux, const GError *error, void *user_data)
{
  VtRelay *self = user_data;
  size_t length;

  if (error != NULL || (self->local != NULL && looks_refused (self)))
    {
      g_clear_pointer (&self->local, vt_local_end_reset);
      finish (self, error);
      return;
    }

  self->over = TRUE;
  if (self->local == NULL)
    {
      /* The user left. Only what was sent before may still make the target worth reaching. */
      if (vt_mux_stream_peek (mux, &length) == NULL)
        finish (self, NULL);
      return;
    }
  write_the_rest (self);
}

static gssize
get_unsent_cb (VtMuxStream *mux, void *user_data)
{
  VtRelay *self = user_data;

  return self->local != NULL ? vt_local_end_get_unsent (self->local) : -1;
}

static const VtMuxStreamHandlers handlers = {
  .readable = readable_cb,
  .writable = writable_cb,
  .closed = closed_cb,
  .get_unsent = get_unsent_cb,
};

/* The beginning. */

static VtRelay *
relay_new (VtStream *stream, VtRelayFunc finished, void *user_data)
{
  VtRelay *self = g_new0 (VtRelay, 1);

  self->stream = g_object_ref (stream);
  self->mux = vt_mux_stream_ref (vt_stream_lend (stream));
  self->finished = finished;
  self->user_data = user_data;
  vt_mux_stream_set_handlers (self->mux, &handlers, self);
  return self;
}

static void
failed_cb (void *user_data)
{
  VtRelay *self = user_data;
  g_autoptr(GError) error = g_steal_pointer (&self->failure);

  finish (self, error);
}

/* Nobody expects the end of a relay while it is being made. */
static void
fail_later (VtRelay *self, const GError *error)
{
  self->failure = vt_error_from_platform (error, VT_ERROR_FAILED);
  vt_mux_stream_reset (self->mux, self->failure);
  ensure_timer (self, "relay failed", failed_cb);
  vt_timer_start (self->timer, 0);
}

static void
target_failed (VtRelay *self, const GError *error)
{
  if (!self->over && vt_relay_page_is_for (vt_stream_get_forward (self->stream)))
    {
      self->failure = g_error_copy (error);
      self->page = vt_relay_page_new (self->mux, error, failed_cb, self);
      return;
    }
  vt_mux_stream_reset (self->mux, error);
  finish (self, error);
}

static void
dialled_cb (int fd, GIOStream *connection, const GError *dial_error, void *user_data)
{
  VtRelay *self = user_data;
  g_autoptr(GIOStream) taken = connection != NULL ? g_object_ref (connection) : NULL;
  g_autoptr(GError) error = NULL;

  g_clear_pointer (&self->dial, vt_relay_dial_free);
  vt_forward_note_dial (vt_stream_get_forward (self->stream), dial_error);
  if (dial_error != NULL)
    {
      target_failed (self, dial_error);
      return;
    }
  self->local = vt_local_end_new (fd, taken, get_condition (self), local_cb, self, &error);
  if (self->local == NULL)
    {
      g_autoptr(GError) failure = vt_error_from_platform (error, VT_ERROR_FAILED);

      target_failed (self, failure);
      return;
    }
  if (self->over)
    {
      write_the_rest (self);
      return;
    }
  vt_mux_stream_accept (self->mux);
  write_to_local (self);
}

VtRelay *
vt_relay_new_for_user (VtStream *stream,
                       int fd,
                       GByteArray *begun,
                       VtRelayFunc finished,
                       void *user_data)
{
  VtRelay *self = relay_new (stream, finished, user_data);
  g_autoptr(GError) error = NULL;

  self->local = vt_local_end_new_for_fd (fd, NULL, get_condition (self), local_cb, self, &error);
  if (self->local == NULL)
    fail_later (self, error);
  else if (begun != NULL)
    vt_local_end_unread (self->local, begun);
  return self;
}

VtRelay *
vt_relay_new_for_target (VtStream *stream,
                         GTlsDatabase *trust,
                         VtRelayFunc finished,
                         void *user_data)
{
  VtRelay *self = relay_new (stream, finished, user_data);
  VtForward *forward = vt_stream_get_forward (stream);
  VtTarget *target = vt_forward_get_target (forward);
  unsigned int version = vt_forward_get_proxy_protocol (forward);
  GSocketAddress *user = vt_stream_get_user_address (stream);
  VtHeadChanges *changes = vt_head_changes_new_for_forward (forward, user);
  g_autoptr(GSocketAddress) local = NULL;
  g_autoptr(GBytes) header = NULL;

  self->for_target = TRUE;
  if (changes != NULL)
    {
      self->rewriter = vt_head_rewriter_new (changes);
      self->pending = g_byte_array_new ();
    }
  if (version != 0)
    {
      local = vt_mux_stream_dup_local_address (self->mux);
      header = vt_proxy_header_new (version, user, local);
    }
  self->dial = vt_relay_dial_new (target, trust, header, DIAL_TIMEOUT, dialled_cb, self);
  return self;
}

void
vt_relay_dial (VtRelay *self, VtDialQuota *quota)
{
  vt_relay_dial_start (self->dial, quota);
}

void
vt_relay_free (VtRelay *self, const GError *error)
{
  g_autoptr(GError) cancelled = NULL;

  if (error == NULL)
    error = cancelled =
        g_error_new_literal (VT_ERROR, VT_ERROR_CANCELLED, _ ("The stream was cancelled"));
  if (self->mux != NULL)
    vt_mux_stream_reset (self->mux, error);
  g_clear_pointer (&self->local, vt_local_end_reset);
  let_go (self);
  if (self->freed != NULL)
    *self->freed = TRUE;
  vt_stream_finish (self->stream, error);
  g_object_unref (self->stream);
  g_clear_error (&self->failure);
  g_free (self);
}
