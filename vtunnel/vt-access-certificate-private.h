/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include <gio/gio.h>

/* The name in an access file that a client's certificate stands for: its one common name (CN). NULL
 * if it has none, or several, or one that is no such name. Says nothing of who has signed it. */
char *vt_access_certificate_get_name (GTlsCertificate *certificate);
/* The same, of a subject as RFC 4514 writes it. Pure. */
char *vt_access_certificate_read_subject (const char *subject);
