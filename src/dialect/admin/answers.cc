#include "dialect/admin/answers.h"

#include <utility>

#include "dialect/http_router.h"
#include "dialect/large_work.h"

namespace modelmill::admin {

wire::HttpReply reply_of(Result<std::string> json) {
  return json.ok() ? json_reply(200, *std::move(json)) : error_reply(json.status());
}

void reply_apart(Offload* offload, std::shared_ptr<wire::HttpExchange> exchange, Answer answer) {
  if (offload == nullptr) return exchange->reply(answer());
  const Status status = run_large(*offload, [exchange, answer = std::move(answer)] {
    exchange->loop().post([exchange, reply = answer()]() mutable { exchange->reply(std::move(reply)); });
  });
  if (!status.ok()) exchange->reply(error_reply(status));
}

}  // namespace modelmill::admin
