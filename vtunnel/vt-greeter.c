/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-greeter-private.h"

#include <glib/gi18n-lib.h>

#include "vt-clock-private.h"
#include "vt-close-code-private.h"
#include "vt-error-private.h"
#include "vt-greeting-private.h"
#include "vt-trunk-private.h"

/* How long the other side may take to greet, in microseconds. */
#define GREETING_TIMEOUT (10 * G_TIME_SPAN_SECOND)

struct _VtGreeter {
  VtGreeterHandlers handlers;
  void *user_data; /* the owner's */
  VtLink *link;    /* owned, NULL once taken */
  VtControlType expected;
  unsigned int max_json_depth;
  VtTimer *timer; /* owned: waits for the greeting */
  GError *error;  /* owned, why this side gave up, NULL if it did not */
  gboolean over;  /* the owner was told, or is not to be told any more */
  gboolean alone; /* refused: there is no owner */
};

static void
report_failure (VtGreeter *self, unsigned int code, const GError *error)
{
  if (self->over)
    return;
  self->over = TRUE;
  vt_timer_stop (self->timer);
  self->handlers.failed (self, code, error, self->user_data);
}

/* The owner hears of it when the other side has. */
static void
give_up (VtGreeter *self, GError *error)
{
  self->error = error;
  vt_timer_stop (self->timer);
  vt_link_close (self->link, vt_close_code_for_error (error), error->message);
}

/* Who does not greet will not shake hands either. */
static void
timer_cb (void *user_data)
{
  VtGreeter *self = user_data;
  g_autoptr(GError) error =
      g_error_new_literal (VT_ERROR, VT_ERROR_TIMED_OUT, _ ("The other side does not greet"));

  give_up (self, g_error_copy (error));
  report_failure (self, 0, error);
}

/* After the greeting the link is somebody else's. */
static void
link_message_cb (gboolean text, GBytes *message, void *user_data)
{
  VtGreeter *self = user_data;
  g_auto(VtControl) greeting = { 0 };
  g_autoptr(GError) error = NULL;

  if (self->over)
    return;
  if (!vt_greeting_read (message, text, self->max_json_depth, self->expected, &greeting, &error))
    {
      give_up (self, g_steal_pointer (&error));
      return;
    }
  self->over = TRUE;
  vt_timer_stop (self->timer);
  self->handlers.greeted (self, &greeting, self->user_data);
}

static void
link_nothing_cb (void *user_data)
{
}

static void
link_closed_cb (unsigned int code, const char *reason, const GError *error, void *user_data)
{
  VtGreeter *self = user_data;
  g_autoptr(GError) why = NULL;

  if (self->alone)
    {
      vt_greeter_free (self);
      return;
    }
  if (self->error != NULL)
    why = g_error_copy (self->error);
  else
    why = vt_close_code_to_error (code, reason, error);
  if (why == NULL)
    why = g_error_new_literal (VT_ERROR, VT_ERROR_FAILED,
                               _ ("The other side closed the tunnel at once"));
  report_failure (self, code, why);
}

VtGreeter *
vt_greeter_new (SoupWebsocketConnection *connection,
                VtGate *gate,
                GBytes *hello,
                const VtGreeterLimits *limits,
                const VtGreeterHandlers *handlers,
                void *user_data)
{
  const VtLinkHandlers link_handlers = {
    .message = link_message_cb,
    .alive = link_nothing_cb,
    .writable = link_nothing_cb,
    .closed = link_closed_cb,
  };
  g_autoptr(SoupWebsocketConnection) taken = connection;
  g_autoptr(VtGate) taken_gate = gate;
  g_autoptr(VtClock) clock = vt_clock_get (NULL);
  VtGreeter *self = g_new0 (VtGreeter, 1);

  self->handlers = *handlers;
  self->user_data = user_data;
  self->expected = hello != NULL ? VT_CONTROL_WELCOME : VT_CONTROL_HELLO;
  self->timer = vt_timer_new (clock, "greeter", timer_cb, self);
  self->max_json_depth = limits != NULL ? limits->max_json_depth : VT_JSON_MAX_DEPTH;
  self->link =
      vt_link_new (connection, gate, limits != NULL ? limits->max_message : VT_CONTROL_OUR_MESSAGE,
                   &link_handlers, self);
  vt_timer_start (self->timer, GREETING_TIMEOUT);
  if (hello != NULL)
    vt_link_send (self->link, hello, TRUE);
  return self;
}

void
vt_greeter_free (VtGreeter *self)
{
  g_clear_pointer (&self->link, vt_link_free);
  vt_timer_free (self->timer);
  g_clear_error (&self->error);
  g_free (self);
}

VtLink *
vt_greeter_take_link (VtGreeter *self)
{
  return g_steal_pointer (&self->link);
}

void
vt_greeter_refuse (VtGreeter *self, unsigned int code, const char *reason)
{
  self->over = self->alone = TRUE;
  vt_timer_stop (self->timer);
  vt_link_close (self->link, code, reason);
}
