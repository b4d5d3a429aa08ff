#include "dialect/method_check.h"

#include "dialect/http_router.h"

namespace modelmill {

wire::HttpReply wrong_method(std::string_view allowed) {
  wire::HttpReply reply = json_reply(405, R"({"error":"Method Not Allowed"})");
  reply.headers.emplace_back("Allow", allowed);
  return reply;
}

bool refuse_all_but_get(wire::HttpExchange& exchange) {
  if (exchange.request().method == "GET") return false;
  exchange.reply(wrong_method("GET"));
  return true;
}

}  // namespace modelmill
