#include "dialect/large_work.h"

#include <utility>

namespace modelmill {

std::optional<Result<Bytes>> decode_on_loop(const wire::HttpRequest& request, const HttpOptions& options) {
  const std::string_view encoding = request.header("content-encoding");
  if (encoding.empty() || options.offload == nullptr || options.inflate.bytes <= kLoopBytes) {
    return decode_body(request.body, encoding, options.inflate);
  }
  if (request.body.size() > kLoopBytes) return std::nullopt;
  // How much a body inflates to is only known by doing it.
  Result<Bytes> small = decode_body(request.body, encoding, InflateLimit{kLoopBytes, nullptr});
  if (small.status().code() == Code::kResourceExhausted) return std::nullopt;
  return small;
}

Status run_large(Offload& offload, std::function<void()> task) {
  if (offload.run(std::move(task))) return ok_status();
  return unavailable(
      "more large requests wait to be read than this server's processors can do in time; send fewer at once, or send "
      "tensors as binary data, which needs no parsing");
}

}  // namespace modelmill
