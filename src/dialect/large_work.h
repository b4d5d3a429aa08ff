#pragma once

#include <cstddef>
#include <functional>
#include <new>
#include <optional>

#include "base/result.h"
#include "dialect/http_options.h"
#include "wire/http.h"

namespace modelmill {

/// The request's body, inflated, if that is no more than a loop should do; else nothing, and decode_body() is for
/// another thread.
std::optional<Result<Bytes>> decode_on_loop(const wire::HttpRequest& request, const HttpOptions& options);

/// Has `task`, which reads a large request, run by the offload. UNAVAILABLE, and it is not run: too much waits there.
Status run_large(Offload& offload, std::function<void()> task);

/// What `make` gives, or RESOURCE_EXHAUSTED where it runs out of memory: nothing may be thrown into the wire's frames.
template <typename Make>
Status within_memory(Make&& make) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return resource_exhausted("no memory to read the request's body of that size; send it in parts");
  }
}

}  // namespace modelmill
