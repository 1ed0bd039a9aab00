/* Names of actions and sets of actions. */
#include <stdio.h>
#include <string.h>

#include "policy/model.h"

static const char *const action_names[ACTION_COUNT] = {
#define ACTION(name, word) [ACTION_##name] = word,
#define WORD(word, actions)
#include "policy/actions.def"
#undef ACTION
#undef WORD
};

static const struct {
	const char *word;
	unsigned int actions;
} words[] = {
#define ACTION(name, word)  {word, ACTION_BIT(name)},
#define WORD(word, actions) {word, actions},
#include "policy/actions.def"
#undef ACTION
#undef WORD
};

static const char *const word_list[] = {
#define ACTION(name, word)  word,
#define WORD(word, actions) word,
#include "policy/actions.def"
#undef ACTION
#undef WORD
	NULL,
};

const char *policy_action_name(enum policy_action action)
{
	return action_names[action];
}

bool policy_action_parse(const char *word, enum policy_action *action)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		if (strcmp(action_names[i], word) == 0) {
			*action = (enum policy_action)i;
			return true;
		}
	return false;
}

unsigned int policy_actions_of_word(const char *word)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].actions;
	return 0;
}

const char *const *policy_action_words(void)
{
	return word_list;
}

void policy_actions_text(unsigned int actions, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (int i = 0; i < ACTION_COUNT && len < size; i++)
		if ((actions & (1u << i)) != 0)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len == 0 ? "" : " ",
						action_names[i]);
}
