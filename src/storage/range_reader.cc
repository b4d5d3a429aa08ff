#include "storage/range_reader.h"

#include <memory>
#include <utility>

namespace modelmill {
namespace {

/// What a 206 says of the part that it brings: "bytes 0-99/1000".
std::string content_range(const ByteRange& range, const RemoteObject& object) {
  return "bytes " + std::to_string(range.begin) + '-' + std::to_string(range.begin + range.size - 1) + '/' +
         (object.size ? std::to_string(*object.size) : "*");
}

Status changed(const RemoteObject& object, const std::string& how) {
  return {Code::kAborted, "'" + object.shown + "' changed while it was read: " + how};
}

Status check_head(const ClientReply& head, const ReadRequest& wanted) {
  const std::string_view version = head.header(wanted.version_header);
  if (!wanted.version_header.empty() && !version.empty() && version != wanted.version)
    return changed(wanted.object, "it is now " + std::string(version) + ", and was " + wanted.version);
  if (!wanted.range) return ok_status();
  if (head.status != 206) {
    // The whole, which is as good when the part is the whole.
    if (wanted.range->begin == 0 && wanted.object.size == wanted.range->size) return ok_status();
    return failed_precondition("'" + wanted.object.shown + "': the server answered HTTP " +
                               std::to_string(head.status) + " when it was asked for a part; it must know Range");
  }
  const std::string expected = content_range(*wanted.range, wanted.object);
  if (const std::string_view got = head.header("content-range"); got != expected)
    return changed(wanted.object, "the server sent '" + std::string(got) + "' for '" + expected + "'");
  return ok_status();
}

}  // namespace

Status read_object(WebClient& web, WebRequest request, const WebClient::Prepare& prepare, const ReadRequest& wanted,
                   const ObjectStore::Sink& sink, const std::atomic<bool>& cancelled) {
  const uint64_t begin = wanted.range ? wanted.range->begin : 0;
  if (wanted.range)
    request.headers.emplace_back(
        "Range", "bytes=" + std::to_string(begin) + '-' + std::to_string(begin + wanted.range->size - 1));
  request.make_sink = [&] {
    return [&, offset = begin, checked = false](const ClientReply& head, std::string_view piece) mutable -> Status {
      if (!std::exchange(checked, true)) MM_RETURN_IF_ERROR(check_head(head, wanted));
      MM_RETURN_IF_ERROR(sink(offset, piece));
      offset += piece.size();
      return ok_status();
    };
  };
  MM_ASSIGN_OR_RETURN(const ClientReply reply, web.send(request, prepare, cancelled));
  if (reply.status == 200 || reply.status == 206) return ok_status();
  if (reply.status == 412 || reply.status == 416) return changed(wanted.object, "HTTP " + std::to_string(reply.status));
  return status_of_reply(reply, "can't read '" + wanted.object.shown + "'");
}

}  // namespace modelmill
