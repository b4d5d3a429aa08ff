// A model's config.pbtxt: what is accepted can be completed and shown as JSON, and what is not says why.
#include <string>

#include "base/check.h"
#include "dialect_rig.h"
#include "model/triton_config.h"
#include "targets.h"

namespace modelmill::fuzz {

void config_text(std::string_view text) {
  const auto definition = parse_triton_config(text, "config.pbtxt");
  if (!definition.ok()) {
    MM_CHECK(!definition.status().message().empty(), "an error says why");
    return;
  }
  const auto config = complete_triton_config(*definition, {});
  check_json(triton_config_json(config), true);
  const auto again = definition_from_triton_config(config, true);
  MM_CHECK(again.ok() || !again.status().message().empty(), "the complete configuration has a reading too");
}

}  // namespace modelmill::fuzz
