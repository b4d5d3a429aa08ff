#include "dialect/invocations/target.h"

#include <gtest/gtest.h>

#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::invocations {
namespace {

TEST(AskedModel, IsNamedByTheHeaderTheQueryOrTheCommandLine) {
  testing::FakeCatalog catalog;
  catalog.add(testing::simple_description("m"));
  catalog.add(testing::simple_description("n"));
  Inference inference(catalog.catalog());
  const auto asked = [&](const char* path, const char* header, const char* configured) {
    const auto request = testing::http_request("POST", path, "", {{std::string(kTargetModelHeader), header}});
    const auto model = asked_model(inference, request, configured);
    return model.ok() ? *model : std::string(code_name(model.status().code()));
  };
  EXPECT_EQ(asked("/invocations?model_name=q", "h.tar.gz", "c"), "h");
  EXPECT_EQ(asked("/invocations?model_name=a%20b", "", "c"), "a b");
  EXPECT_EQ(asked("/invocations?model_name=", "", "c"), "c");
  EXPECT_EQ(asked("/invocations", "", ""), "INVALID_ARGUMENT") << "there are two";
  EXPECT_EQ(asked("/invocations?model_name=%zz", "", "c"), "INVALID_ARGUMENT");
}

}  // namespace
}  // namespace modelmill::invocations
