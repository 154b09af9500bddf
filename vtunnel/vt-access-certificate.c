/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-access-certificate-private.h"

#include <string.h>

#include "vt-access-token-private.h"

/* Where an attribute ends: what is escaped belongs to it. */
static size_t
measure_attribute (const char *text)
{
  size_t length = 0;

  while (text[length] != '\0' && strchr (",;+", text[length]) == NULL)
    length += text[length] == '\\' && text[length + 1] != '\0' ? 2 : 1;
  return length;
}

static gboolean
is_common_name (const char *attribute, size_t length)
{
  return length > 3 && g_ascii_strncasecmp (attribute, "CN=", 3) == 0;
}

char *
vt_access_certificate_read_subject (const char *subject)
{
  g_autofree char *name = NULL;
  const char *at = subject;

  while (*at != '\0')
    {
      size_t length = measure_attribute (at);

      if (is_common_name (at, length))
        {
          if (name != NULL)
            return NULL;
          name = g_strndup (at + 3, length - 3);
        }
      at += length;
      at += strspn (at, ",;+ ");
    }
  /* A name has no character that would be escaped. */
  return name != NULL && vt_access_name_is_valid (name) ? g_steal_pointer (&name) : NULL;
}

char *
vt_access_certificate_get_name (GTlsCertificate *certificate)
{
  g_autofree char *subject = g_tls_certificate_get_subject_name (certificate);

  return subject != NULL ? vt_access_certificate_read_subject (subject) : NULL;
}
