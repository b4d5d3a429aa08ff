#pragma once

#include <atomic>
#include <optional>
#include <string>

#include "storage/object_store.h"
#include "storage/web_client.h"

namespace modelmill {

/// What a GET of an object shall bring.
struct ReadRequest {
  const RemoteObject& object;
  std::optional<ByteRange> range;
  /// The header that must stay the same over all parts ("etag"), and its value; empty: not looked at.
  std::string version_header = {};
  std::string version = {};
};

/// GETs an object or a part of it and hands its bytes on, the same way for every store. ABORTED when it is of another
/// version or size, or the server says so (412).
Status read_object(WebClient& web, WebRequest request, const WebClient::Prepare& prepare, const ReadRequest& wanted,
                   const ObjectStore::Sink& sink, const std::atomic<bool>& cancelled);

}  // namespace modelmill
