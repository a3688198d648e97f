#include <elk/base/format.hpp>
#include <elk/base/moved.hpp>

void elk::detail::Moved::fail(const char* what) {
  elk::fail<ValueError>("[{}] this object was moved from: use the one that it was moved to", what);
}
