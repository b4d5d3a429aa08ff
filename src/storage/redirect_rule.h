#pragma once

#include <string>

#include "base/status.h"
#include "storage/web_url.h"

namespace modelmill {

/// How far from everybody an address is: 0 the internet, 1 a private network or link, 2 this machine. Names are looked
/// up, and the nearest of their addresses counts; one that is not known counts as the internet.
int nearness_of_host(const std::string& host);

/// PERMISSION_DENIED for redirects that could turn a URL that was allowed into one that nobody would allow: from https
/// to http, and to a nearer network than the one that redirects.
Status check_redirect(const WebUrl& from, const WebUrl& to);

}  // namespace modelmill
