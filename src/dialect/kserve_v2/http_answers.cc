#include "dialect/kserve_v2/http_answers.h"

#include "base/json_text.h"
#include "dialect/http_router.h"

namespace modelmill::kserve_v2 {

wire::HttpReply plain_error(int status, std::string_view message) {
  JsonWriter json;
  json.begin_object().field("error", message).end_object();
  return json_reply(status, json.take());
}

wire::HttpReply no_such_path() { return plain_error(404, "Not Found"); }

}  // namespace modelmill::kserve_v2
