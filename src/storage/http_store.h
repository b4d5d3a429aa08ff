#pragma once

#include <memory>

#include "base/result.h"
#include "storage/object_store.h"
#include "storage/source_url.h"
#include "storage/web_client.h"

namespace modelmill {

/// One file of a web server. Redirects are followed, but not from https to http, and not from a public host to one of
/// this machine or a private network. Thread-safe.
Result<std::unique_ptr<ObjectStore>> open_http_store(const SourceUrl& url, WebClient::Options options);

}  // namespace modelmill
