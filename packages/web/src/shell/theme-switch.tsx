import { Button } from '../components/button.tsx';
import { chooseTheme, themes, useTheme } from '../design/theme.ts';

/** Each press goes on to the next of system, light, dark. */
export const ThemeSwitch = () => {
  const theme = useTheme();
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system';
  return (
    <Button kind="plain" aria-label={`Theme: ${theme}. Change to ${next}`} onPress={() => chooseTheme(next)}>
      Theme: {theme}
    </Button>
  );
};
