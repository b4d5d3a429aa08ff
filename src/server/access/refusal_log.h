#pragma once

#include "dialect/http_router.h"

namespace modelmill {

/// Tells `log`, which may be empty, what a gate answers in the place of whoever serves the path.
inline void log_refusal(const HttpRouter::AccessLog& log, const wire::HttpRequest& request,
                        const wire::HttpReply& reply) {
  if (!log) return;
  uint64_t size = 0;
  for (const Bytes& bytes : reply.body) size += bytes.size();
  log(access_record(request, reply.status, size));
}

}  // namespace modelmill
