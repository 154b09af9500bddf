/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-client-request-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "vt-error.h"
#include "vt-http-head-private.h"
#include "vt-secret-private.h"

struct _VtClientRequest {
  GPtrArray *headers; /* owned, owned names and values in turn */
  char *token;        /* owned, nullable */
};

VtClientRequest *
vt_client_request_new (void)
{
  VtClientRequest *self = g_new0 (VtClientRequest, 1);

  self->headers = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
vt_client_request_free (VtClientRequest *self)
{
  g_clear_pointer (&self->token, vt_secret_free);
  g_ptr_array_unref (self->headers);
  g_free (self);
}

static gboolean
is_reserved (const char *name)
{
  static const char *const reserved[] = {
    "Connection", "Content-Length", "Host", "Transfer-Encoding", "Upgrade",
  };

  for (size_t i = 0; i < G_N_ELEMENTS (reserved); i++)
    if (g_ascii_strcasecmp (name, reserved[i]) == 0)
      return TRUE;
  return g_ascii_strncasecmp (name, "Sec-WebSocket-", strlen ("Sec-WebSocket-")) == 0;
}

static gboolean
is_token (const char *text)
{
  const char *at = text;

  while (vt_http_is_token_char ((uint8_t) *at))
    at++;
  return at > text && *at == '\0';
}

gboolean
vt_client_request_is_valid_header (const char *name, const char *value)
{
  if (!is_token (name) || is_reserved (name))
    return FALSE;
  for (; value != NULL && *value != '\0'; value++)
    if ((*value != '\t' && (unsigned char) *value < 0x20) || *value == 0x7f)
      return FALSE;
  return TRUE;
}

void
vt_client_request_set_header (VtClientRequest *self, const char *name, const char *value)
{
  for (unsigned int i = 0; i < self->headers->len; i += 2)
    if (g_ascii_strcasecmp (self->headers->pdata[i], name) == 0)
      {
        g_ptr_array_remove_range (self->headers, i, 2);
        break;
      }
  if (value == NULL)
    return;
  g_ptr_array_add (self->headers, g_strdup (name));
  g_ptr_array_add (self->headers, g_strdup (value));
}

void
vt_client_request_set_token (VtClientRequest *self, const char *token)
{
  g_clear_pointer (&self->token, vt_secret_free);
  self->token = g_strdup (token);
}

GPtrArray *
vt_client_request_build (VtClientRequest *self, GError **error)
{
  g_autoptr(GPtrArray) built = g_ptr_array_new_with_free_func (g_free);

  /* The token decides where both are given. */
  for (unsigned int i = 0; i < self->headers->len; i += 2)
    {
      const char *name = self->headers->pdata[i];

      if (self->token != NULL && g_ascii_strcasecmp (name, "Authorization") == 0)
        continue;
      g_ptr_array_add (built, g_strdup (name));
      g_ptr_array_add (built, g_strdup (self->headers->pdata[i + 1]));
    }
  if (self->token == NULL)
    return g_steal_pointer (&built);

  for (const char *at = self->token; at == self->token || *at != '\0'; at++)
    if (*at <= 0x20 || *at >= 0x7f)
      {
        g_set_error_literal (error, VT_ERROR, VT_ERROR_INVALID_ARGUMENT,
                             _ ("The token is empty, or has characters that no token may have"));
        return NULL;
      }
  g_ptr_array_add (built, g_strdup ("Authorization"));
  g_ptr_array_add (built, g_strconcat ("Bearer ", self->token, NULL));
  return g_steal_pointer (&built);
}
