// The texts of the page in German.

import { number, plural } from "/inbox/words.js";

const messages = (count) => plural(count, { one: "#\u00a0Nachricht", other: "#\u00a0Nachrichten" });

const seconds = (count) => `${number(count)}\u00a0s`;

export default {
  // Of several views.
  back: "Zurück",
  block: "Blockieren",
  cancel: "Abbrechen",
  close: "Schließen",
  delete: "Löschen",
  email: "E-Mail-Adresse",
  fillIn: "Bitte ausfüllen.",
  hide: "Verbergen",
  hidePassword: "Passwort verbergen",
  inbox: "Posteingang",
  invitation: "Einladung",
  keepIt: "Behalten",
  message: "Nachricht",
  notNow: "Nicht jetzt",
  password: "Passwort",
  passwordHint: "Mindestens 8\u00a0Zeichen. Mehrere Wörter hintereinander lassen sich gut merken.",
  reference: "API-Referenz",
  reply: "Antworten",
  search: "Suchen",
  sent: "Gesendet",
  show: "Anzeigen",
  showPassword: "Passwort anzeigen",
  signIn: "Anmelden",
  signOut: "Abmelden",
  tryAgain: "Erneut versuchen",
  unblock: "Nicht mehr blockieren",
  undo: "Rückgängig",
  username: "Benutzername",
  yourPassword: "Ihr Passwort",
  deletedAccount: "gelöschtes Konto",
  noSubject: "(kein Betreff)",
  others: (count) => plural(count, { one: "#\u00a0weitere Person", other: "#\u00a0weitere" }),
  notShown: "Diese Ansicht ließ sich nicht laden. Bitte die Verbindung prüfen und die Seite neu laden.",

  // The forms for signing in and up.
  signInTo: "Bei Herolo anmelden",
  createYourAccount: "Konto erstellen",
  createAnAccount: "Konto erstellen",
  createAccount: "Konto erstellen",
  newHere: "Neu hier?",
  haveAccount: "Schon ein Konto?",
  usernameHint: "3 bis 64\u00a0Zeichen: Buchstaben von a bis z, Ziffern, Punkte, Binde- oder Unterstriche.",
  invitationHint: "Der Code aus Ihrer Einladung.",
  forgotten: "Passwort vergessen?",
  oneMoment: "Einen Moment…",
  busy: (wait) => `Ausgelastet, neuer Versuch in ${seconds(wait)}…`,
  signInAgain: "Erneut anmelden",
  sessionExpired: "Ihre Sitzung ist abgelaufen. Ihre Entwürfe bleiben erhalten.",
  sessionExpiredSignIn: "Ihre Sitzung ist abgelaufen. Bitte erneut anmelden.",
  signedOutSignIn: "Sie sind abgemeldet. Melden Sie sich wieder an, um fortzufahren.",
  passwordOf: (name) => ["Passwort von ", name],
  notPasswordOf: (name) => `Das ist nicht das Passwort von ${name}.`,
  signOutQuestion: "Abmelden?",
  signOutScopes: (name) =>
    `„Überall abmelden“ meldet ${name} auf allen Geräten und in allen Programmen ab. ` +
    "„Nur in diesem Browser“ meldet nur hier ab; das Zugriffstoken bleibt gültig, bis es abläuft.",
  draftsAreDeleted: "Nicht gesendete Entwürfe werden gelöscht.",
  deletionsAreFinal: (count) =>
    plural(count, {
      one: "#\u00a0gerade gelöschte Nachricht lässt sich danach nicht wiederherstellen.",
      other: "#\u00a0gerade gelöschte Nachrichten lassen sich danach nicht wiederherstellen.",
    }),
  signOutEverywhere: "Überall abmelden",
  signOutHere: "Nur in diesem Browser",
  staySignedIn: "Angemeldet bleiben",
  notSignedOut: (why) => ["Nicht abgemeldet: ", why],

  // The frame.
  skip: "Zu den Nachrichten springen",
  boxes: "Ordner",
  write: "Neu",
  accountOf: (name) => `Konto von ${name}`,
  unreadCount: (count) => `${count} ungelesen`,
  readingAndWriting: "Lesen und Schreiben",
  newMessageBy: (name, title) => `Neue Nachricht von ${name}: ${title}`,
  readIt: "Lesen",
  connecting: "Verbinden…",
  live: "Verbunden",
  signedOut: "Abgemeldet",
  offline: "Offline",
  reconnecting: "Neu verbinden…",
  connectedAgain: "Wieder verbunden.",
  connectionLost: "Die Verbindung ist unterbrochen und wird wiederhergestellt.",

  // The list.
  onlyUnread: "Nur ungelesene",
  select: "Auswählen",
  markAllRead: "Alle als gelesen markieren",
  showOlder: "Ältere Nachrichten anzeigen",
  searchOlder: "Ältere Nachrichten durchsuchen",
  noMessages: "Noch keine Nachrichten",
  noMessagesHint:
    "Neue Nachrichten erscheinen hier von selbst. Mit einer Nachricht an sich selbst sehen Sie, wie das aussieht.",
  allRead: "Alles gelesen",
  allReadHint: "Es gibt nichts Neues. Neue Nachrichten erscheinen hier von selbst.",
  nothingSent: "Noch nichts gesendet",
  nothingSentHint: "Hier stehen Ihre gesendeten Nachrichten, und wer sie gelesen hat.",
  nothingFound: "Nichts gefunden",
  nothingFoundHint:
    "Hier passt keine Nachricht. Wortteile genügen: Versuchen Sie es mit weniger oder kürzeren Wörtern.",
  unread: "Ungelesen. ",
  toNames: (names) => `An ${names}`,
  wasRead: "Gelesen",
  wasNotRead: "Noch nicht gelesen",
  wasReadBy: (readers, receivers) => `Von ${number(readers)} von ${number(receivers)} gelesen`,

  // The search.
  searchMessages: "Nachrichten durchsuchen",
  words: "Wörter",
  wordsHint: "Alle davon, auch Wortteile, im Betreff oder im Text.",
  from: "Von",
  aUsername: "Benutzername",
  since: "Seit",
  endSearch: "Suche beenden",
  enterDate: "Bitte ein vollständiges Datum eingeben.",
  enterWordsOrDay: "Bitte Wörter oder einen Tag eingeben.",
  enterWordsSenderOrDay: "Bitte Wörter, einen Absender oder einen Tag eingeben.",
  found: (count) => `${messages(count)} gefunden.`,
  nothingWasFound: "Nichts gefunden.",

  // The selection, and deletions.
  selection: "Auswahl",
  selectAll: "Alle auswählen",
  selectOne: (title, name) => `„${title}“ auswählen, ${name}`,
  selected: (count) => `${number(count)} ausgewählt`,
  done: "Fertig",
  markRead: "Als gelesen markieren",
  markSelectedRead: "Gelesen",
  markSelectedUnread: "Ungelesen",
  markUnread: "Als ungelesen markieren",
  notMarked: (why) => ["Nicht markiert: ", why],
  areMarkedRead: (count) => `${messages(count)} als gelesen markiert.`,
  areMarkedUnread: (count) => `${messages(count)} als ungelesen markiert.`,
  deleteSelected: (count) => `${messages(count)} löschen?`,
  deleteSent: (own, all) => {
    if (own === all) return "Selbst gesendete Nachrichten verschwinden auch bei allen Empfängern.";
    return plural(own, {
      one: "#\u00a0davon haben Sie gesendet; sie verschwindet auch bei allen Empfängern.",
      other: "#\u00a0davon haben Sie gesendet; sie verschwinden auch bei allen Empfängern.",
    });
  },
  keepThem: "Behalten",
  willBeDeleted: (count) =>
    plural(count, {
      one: "#\u00a0Nachricht wird gelöscht.",
      other: "#\u00a0Nachrichten werden gelöscht.",
    }),
  willBeDeletedForAll: (count) =>
    plural(count, {
      one: "#\u00a0Nachricht wird für alle gelöscht.",
      other: "#\u00a0Nachrichten werden für alle gelöscht.",
    }),
  oneWillBeDeleted: (title) => `1\u00a0Nachricht wird gelöscht: ${title}`,
  oneWillBeDeletedForAll: (title) => `1\u00a0Nachricht wird für alle gelöscht: ${title}`,
  areBack: (count) => plural(count, { one: "Die Nachricht ist wieder da.", other: "Die Nachrichten sind wieder da." }),
  areNotBack: (lost, all) => {
    const whole = plural(all, {
      one: "Die Nachricht lässt sich nicht wiederherstellen",
      other: "Die Nachrichten lassen sich nicht wiederherstellen",
    });
    const part = plural(lost, {
      one: `#\u00a0von ${messages(all)} lässt sich nicht wiederherstellen`,
      other: `#\u00a0von ${messages(all)} lassen sich nicht wiederherstellen`,
    });
    return `${lost === all ? whole : part}: inzwischen anderswo gelöscht.`;
  },
  notDeleted: (why) => ["Nicht gelöscht: ", why],

  // A message.
  nothingSelected: "Nichts ausgewählt",
  chooseMessage: "Wählen Sie eine Nachricht aus, um sie hier zu lesen.",
  isGone: "Diese Nachricht gibt es nicht mehr",
  isGoneHint: "Sie wurde gelöscht, möglicherweise vom Absender.",
  messageNotShown: "Die Nachricht lässt sich nicht anzeigen",
  shownAsLoaded: (why) => ["Zuletzt geladener Stand. ", why],
  continueReply: "Antwort fortsetzen",
  isMarkedRead: "Als gelesen markiert.",
  isMarkedUnread: "Als ungelesen markiert.",
  notMarkedRead: (why) => ["Nicht als gelesen markiert: ", why],
  receivers: "Empfänger",
  hasRead: "gelesen",
  hasNotRead: "noch nicht gelesen",
  showMore: (count) => `${number(count)} weitere anzeigen`,
  deleteForAll: "Für alle löschen?",
  deleteForAllHint: "Die Nachricht verschwindet auch bei allen Empfängern.",
  deleteThis: "Diese Nachricht löschen?",
  deleteThisHint: "Sie wird aus Ihrem Posteingang gelöscht. Der Absender behält sie.",

  // A conversation.
  conversation: "Unterhaltung",
  conversationAbout: (title) => `Unterhaltung: ${title}`,
  conversationNotShown: "Die Unterhaltung lässt sich nicht anzeigen",
  conversationIsGone: "Alle Nachrichten dieser Unterhaltung wurden gelöscht.",
  showConversation: (count) => `Unterhaltung anzeigen (${messages(count)})`,
  showConversationOfMore: (count) => `Unterhaltung anzeigen (mehr als ${messages(count)})`,
  originalIsGone: "Antwort auf eine Nachricht, die gelöscht wurde.",
  inReplyTo: (name) => ["Antwort auf ", name],
  inReplyToYours: (name) => ["Antwort auf Ihre Nachricht an ", name],
  showEarlier: "Frühere Nachrichten anzeigen",
  openMessageBy: (name, time) => `Nachricht von ${name} öffnen, ${time}`,
  openMessageTo: (name, time) => `Nachricht an ${name} öffnen, ${time}`,
  youTo: (name) => ["Sie an ", name],
  new: "Neu",
  open: "Öffnen",

  // The form for messages, and drafts.
  newMessage: "Neue Nachricht",
  replyTo: (name) => `Antwort an ${name}`,
  to: "An",
  toHint: "Benutzernamen, durch Kommas getrennt.",
  subject: "Betreff",
  send: "Senden",
  sending: "Wird gesendet…",
  discard: "Verwerfen",
  draft: "Entwurf",
  drafts: "Entwürfe",
  draftTo: (names, title) => `An ${names}: ${title}`,
  draftDiscarded: "Der Entwurf ist verworfen.",
  originalWasDeleted: "Die Nachricht, auf die Sie antworten, wurde gelöscht.",
  lengthInCharacters: (length, limit) => `${number(length)} von ${number(limit)}\u00a0Zeichen`,
  lengthInBytes: (length, limit) => `${number(length)} von ${number(limit)}\u00a0Bytes`,
  enterUsername: "Bitte einen Benutzernamen eingeben.",
  enterSubject: "Bitte einen Betreff eingeben.",
  enterMessage: "Bitte eine Nachricht eingeben.",
  nameWithAt: (name) => `„${name}“ beginnt mit einem @: Benutzernamen haben keines.`,
  nameIsEmail: (name) => `„${name}“ sieht wie eine E-Mail-Adresse aus: Nachrichten gehen an Benutzernamen.`,
  nameIsNone: (name) =>
    `„${name}“ ist kein Benutzername: Diese haben 3 bis 64\u00a0Zeichen: Buchstaben von a bis z, Ziffern, Punkte, ` +
    "Binde- oder Unterstriche.",
  sendingUnconnected: (wait) => `Keine Verbindung. Neuer Versuch in ${seconds(wait)}; gesendet wird nur einmal.`,
  sendingBusy: (wait) => `Der Dienst ist ausgelastet. Neuer Versuch in ${seconds(wait)}; gesendet wird nur einmal.`,
  isSent: "Gesendet.",
  isSentAlone: "Gesendet. Die beantwortete Nachricht wurde gelöscht; damit beginnt eine neue Unterhaltung.",
  mayBeSent:
    "Das wurde vor mehr als einem Tag gesendet und ist vielleicht angekommen: Bitte unter „Gesendet“ nachsehen. " +
    "„Senden“ sendet es noch einmal.",
  notSent: (why) => ["Nicht gesendet: ", why, " Der Entwurf bleibt erhalten."],

  // Keyboard.
  shortcuts: "Tastenkürzel",
  nextMessage: "Nächste Nachricht",
  previousMessage: "Vorherige Nachricht",
  writeMessage: "Nachricht schreiben",
  toggleRead: "Als gelesen oder ungelesen markieren",
  showItsConversation: "Unterhaltung anzeigen",
  deleteOpenOrSelected: "Offene Nachricht oder Auswahl löschen",
  undoDeletion: "Löschen rückgängig machen",
  selectMessage: "Nachricht auswählen",
  overview: "Diese Übersicht",
  moveThroughList: "Durch die Liste gehen",
  closeOrLeave: "Schließen oder Auswahl beenden",
  useSingleKeys: "Einzelne Tasten in diesem Tab verwenden",
  keys: { delete: "Entf", arrows: "↑, ↓", escape: "Esc", send: "Strg + Enter" },

  // The account.
  account: "Konto",
  signedInAs: (name) => ["Angemeldet als ", name, "."],
  newPassword: "Neues Passwort",
  currentPassword: "Bisheriges Passwort",
  newPasswordSignsOut: "Ein neues Passwort meldet alle Geräte und Programme ab, außer diesem Browser.",
  changePassword: "Passwort ändern",
  passwordIsChanged: "Das Passwort ist geändert. Alle anderen Geräte und Programme sind abgemeldet.",
  notYourPassword: "Das ist nicht Ihr Passwort.",
  yourData: "Ihre Daten",
  yourDataHint: "Ihr Konto und alle Ihre Nachrichten, in einer JSON-Datei.",
  download: "Herunterladen",
  isDownloaded: "Der Export liegt in Ihren Downloads.",
  signOutHint: "In diesem Browser oder auf allen Geräten und in allen Programmen.",
  signOutMore: "Abmelden…",
  help: "Hilfe",
  deleteTheAccount: "Konto löschen",
  deleteTheAccountHint:
    "Alle Ihre gesendeten Nachrichten werden auch bei allen Empfängern gelöscht. Laden Sie vorher Ihre Daten herunter.",
  deleteAccount: "Konto löschen",
  deleteAccountOf: (name) => `Das Konto ${name} löschen?`,
  deleteAccountOfHint: (name) =>
    `Das Konto wird sofort gelöscht, mit allen von ${name} gesendeten Nachrichten, auch bei allen Empfängern. ` +
    "Das lässt sich nicht rückgängig machen.",
  accountIsDeleted: (name) => `Das Konto ${name} ist gelöscht.`,

  // The e-mail address.
  emailIs: (address) => ["Ihre Adresse ist ", address, "."],
  emailIsConfirmed: (address) => ["Ihre Adresse ist ", address, " und bestätigt."],
  emailIsUnconfirmed: (address) => [
    "Ihre Adresse ",
    address,
    " ist noch nicht bestätigt. Öffnen Sie dazu den Link in der Mail, die dorthin gesendet wurde.",
  ],
  emailIsPending: (address) => [
    address,
    " ersetzt die bisherige Adresse, sobald Sie den Link in der Mail dorthin öffnen. Um die bisherige zu behalten, " +
      "geben Sie sie unten erneut ein.",
  ],
  newEmail: "Neue Adresse",
  changeEmail: "Adresse ändern",
  emailIsChanged: "Die E-Mail-Adresse ist geändert.",
  emailStays: (address) => `Die Adresse bleibt ${address}.`,
  emailWillChange: (address) =>
    `Eine Mail an ${address} ist unterwegs. Die Adresse wird geändert, sobald Sie den Link darin öffnen.`,
  sendMailAgain: "Mail erneut senden",
  mailSentAgain: "Eine Mail ist unterwegs, sofern die letzte mindestens zehn Minuten her ist.",

  // Mails about unread messages.
  unreadMessages: "Ungelesene Nachrichten",
  unreadMailsHint:
    "Sie erhalten eine einzige Mail, die weder Absender noch Texte nennt. Die nächste folgt erst, nachdem Sie sich " +
    "angemeldet oder eine Nachricht gelesen haben.",
  unreadMailsAfter: "E-Mail über ungelesene Nachrichten",
  never: "Nie",
  afterMinutes: (count) => plural(count, { one: "Nach #\u00a0Minute", other: "Nach #\u00a0Minuten" }),
  afterHours: (count) => plural(count, { one: "Nach #\u00a0Stunde", other: "Nach #\u00a0Stunden" }),
  afterDays: (count) => plural(count, { one: "Nach #\u00a0Tag", other: "Nach #\u00a0Tagen" }),
  unreadMailsUnconfirmed: "Gesendet wird erst, wenn Ihre E-Mail-Adresse bestätigt ist.",
  unreadMailsAre: (after) => `E-Mail über ungelesene Nachrichten: ${after}.`,
  notChanged: (why) => ["Nicht geändert: ", why],

  // Notifications.
  notifications: "Benachrichtigungen",
  notificationsHint:
    "Sie werden benachrichtigt, solange der Posteingang verdeckt ist. Genannt wird nur der Absender. Beim Abmelden " +
    "wird das ausgeschaltet.",
  notifyMe: "Über neue Nachrichten benachrichtigen",
  willNotify: "Sie werden über neue Nachrichten benachrichtigt.",
  notifiesInstalledOnly: "Dieser Browser benachrichtigt nur bei installierten Seiten.",
  notificationsDenied:
    "Der Browser lässt keine Benachrichtigungen zu. In seinen Einstellungen zu dieser Seite können Sie das ändern.",
  notificationTitle: "Neue Nachricht",
  notificationFrom: (name) => `Von ${name}`,

  // Blocked users.
  blockedUsers: "Blockierte Konten",
  blockedUsersHint: "Neue Nachrichten dieser Konten erreichen Sie nicht. Die Blockierten erfahren davon nichts.",
  blocksNobody: "Sie blockieren niemanden. Das geht in einer geöffneten Nachricht der betreffenden Person.",
  blockQuestion: (name) => `${name} blockieren?`,
  blockMeaning: (name) =>
    `Neue Nachrichten von ${name} erreichen Sie dann nicht; ${name} erfährt das nicht. Vorhandene bleiben. ` +
    "Hier und in Ihrem Konto lässt sich das aufheben; was zwischendurch gesendet wurde, kommt nicht nach.",
  isBlocked: (name) => `${name} ist blockiert.`,
  isUnblocked: (name) => `${name} ist nicht mehr blockiert.`,
  isUnblockedAgain: (name) => `${name} ist nicht mehr blockiert. Neue Nachrichten von ${name} erreichen Sie wieder.`,
  notBlocked: (why) => ["Nicht blockiert: ", why],
  notUnblocked: (why) => ["Weiterhin blockiert: ", why],
  notBlockedUnconnected: "Nicht blockiert: Bitte die Verbindung prüfen und erneut versuchen.",
  blockedSince: (time) => `seit ${time}`,
  unblockUser: (name) => `${name} nicht mehr blockieren`,

  // Invitations.
  invitations: "Einladungen",
  invitationsHint: "Eine Einladung ist ein Link, mit dem sich innerhalb von sieben Tagen ein Konto erstellen lässt.",
  invite: "Einladen",
  openInvitations: "Offene Einladungen",
  invitationMade: (time) => `Erstellt: ${time}`,
  invitationEnds: (time) => `gültig bis ${time}`,
  withdraw: "Zurückziehen",
  withdrawInvitation: (index, time) => `Einladung ${number(index)} zurückziehen, erstellt: ${time}`,
  invitationWithdrawn: "Die Einladung ist zurückgezogen.",
  invitationLink: "Link der Einladung",
  invitationLinkHint: "Bitte jetzt kopieren: Er wird nur einmal angezeigt.",
  copyLink: "Link kopieren",
  linkCopied: "Der Link ist kopiert.",
  linkSelected: "Der Link ist markiert. Kopieren Sie ihn mit der Tastatur oder dem Menü.",
  notInvited: (why) => ["Nicht eingeladen: ", why],
  notWithdrawn: (why) => ["Nicht zurückgezogen: ", why],
  invitationLimit: (soon) =>
    "Sie haben alle Einladungen dieser sieben Tage vergeben. Ziehen Sie eine unbenutzte zurück oder versuchen Sie " +
    `es ${soon} erneut.`,

  // The views that the links in mails open.
  accountOrEmail: "Benutzername oder E-Mail-Adresse",
  forgottenHint:
    "Sie erhalten an die Adresse Ihres Kontos eine Mail mit einem Code, mit dem Sie ein neues Passwort wählen.",
  sendMail: "Mail senden",
  resetMailSent: "Falls es ein solches Konto gibt, ist eine Mail mit einem Code an seine Adresse unterwegs.",
  code: "Code aus der Mail",
  choosePassword: "Neues Passwort wählen",
  choosePasswordHint: "Es meldet alle Geräte und Programme ab, außer diesem Browser.",
  setPassword: "Passwort festlegen",
  sendAnother: "Keine Mail? Noch eine senden",
  confirmEmail: "E-Mail-Adresse bestätigen",
  confirmEmailHint: "Mit dem Code aus der Mail bestätigen Sie, dass die Adresse Ihnen gehört.",
  confirmAddress: "Adresse bestätigen",
  emailConfirmed: "Die Adresse ist bestätigt",
  emailConfirmedOf: (address, name) => `${address} ist die Adresse des Kontos ${name}.`,
  continue: "Weiter",
  stopMails: "Mails über ungelesene Nachrichten abbestellen?",
  stopMailsHint: "In Ihrem Konto lassen sie sich wieder einschalten.",
  stopThem: "Diese Mails abbestellen",
  stopCodeInvalid:
    "Dieser Code ist ungültig: Er ist abgelaufen oder falsch geschrieben. Nach der Anmeldung lassen sich diese Mails " +
    "in Ihrem Konto abbestellen.",
  mailsStopped: "Diese Mails sind abbestellt",
  mailsStoppedHint: "In Ihrem Konto lassen sie sich unter „Ungelesene Nachrichten“ wieder einschalten.",
  toAccount: "Zum Konto",
  backToSignIn: "Zurück zur Anmeldung",
  toInbox: "Zum Posteingang",

  // Failures.
  unreachable: "Der Dienst ist nicht erreichbar. Bitte die Verbindung prüfen und erneut versuchen.",
  unavailable: "Der Dienst ist gerade nicht verfügbar. Bitte gleich noch einmal versuchen.",
  hasFailed: "Im Dienst ist ein Fehler aufgetreten. Bitte gleich noch einmal versuchen.",
  tooMany: "Zu viele Anfragen. Bitte gleich noch einmal versuchen.",
  tooManyUntil: (soon) => `Zu viele Anfragen. Bitte ${soon} noch einmal versuchen.`,
  wasRefused: (status) => `Die Anfrage wurde abgelehnt (${status}).`,

  // Problems of the service by their types.
  problems: {
    "account-suspended": "Der Betreiber dieses Dienstes hat dieses Konto gesperrt. Bitte wenden Sie sich an ihn.",
    "block-limit":
      "Dieses Konto blockiert 500\u00a0andere; mehr sind nicht möglich. Heben Sie zuerst eine Blockierung auf.",
    "code-invalid":
      "Dieser Code ist ungültig: Er wurde schon verwendet, ist abgelaufen oder falsch geschrieben. " +
      "Bitte prüfen oder einen neuen anfordern, nach der Anmeldung im Konto oder mit „Passwort vergessen?“.",
    "credentials-wrong": "Benutzername und Passwort passen nicht zusammen.",
    internal: "Im Dienst ist ein Fehler aufgetreten. Bitte gleich noch einmal versuchen.",
    "invitation-invalid":
      "Diese Einladung ist ungültig: Sie wurde schon verwendet, ist abgelaufen, oder der Code ist falsch " +
      "geschrieben. Bitte prüfen oder um eine neue bitten.",
    "invitation-needed": "Ein Konto lässt sich nur mit einer Einladung erstellen.",
    "invitations-off": "In diesem Dienst lädt nur der Betreiber ein. Bitte wenden Sie sich an ihn.",
    "mail-off": "Dieser Dienst versendet keine Mails. Ein vergessenes Passwort kann sein Betreiber neu festlegen.",
    "not-found": "Das wurde inzwischen gelöscht.",
    "password-wrong": "Das Passwort ist falsch.",
    "sign-ups-closed": "Dieser Dienst nimmt keine Registrierungen an. Der Betreiber kann ein Konto einrichten.",
    timeout: "Die Verbindung ist zu langsam: Die Anfrage kam nicht rechtzeitig an. Bitte erneut versuchen.",
    "token-invalid": "Ihre Sitzung ist abgelaufen. Bitte erneut anmelden.",
    "token-missing": "Ihre Sitzung ist abgelaufen. Bitte erneut anmelden.",
    "too-large": "Das ist zu groß.",
    unavailable: "Der Dienst ist gerade nicht verfügbar. Bitte gleich noch einmal versuchen.",
  },

  // Errors of fields.
  fields: {
    taken: "Ist schon vergeben.",
    reserved: "Ist dem Betreiber dieses Dienstes vorbehalten. Bitte anders wählen.",
    usernameLength: "Muss 3 bis 64\u00a0Zeichen lang sein.",
    usernameCharacters: "Darf nur Buchstaben von a bis z, Ziffern und die Zeichen . _ - enthalten.",
    usernameStart: "Muss mit einem Buchstaben oder einer Ziffer beginnen.",
    noSuchUser: (name) => `Ein Konto mit dem Namen „${name}“ gibt es nicht.`,
    email: "Muss eine E-Mail-Adresse sein, etwa alice@example.com.",
    emailDomain: "Muss mit einem gültigen Domainnamen enden, etwa example.com.",
    emailLength: "Darf höchstens 254\u00a0Bytes lang sein.",
    emailUndeliverable:
      "Muss für Mails erreichbar sein: Der Teil vor dem @ hat höchstens 64\u00a0Bytes und weder Leer- noch " +
      "Anführungszeichen.",
    passwordLength: "Muss 8 bis 128\u00a0Zeichen lang sein.",
    passwordVariety: (count) => `Muss mindestens ${count} verschiedene Zeichen haben.`,
    passwordCommon: "Darf keines der häufigsten Passwörter sein; die werden zuerst geraten.",
    passwordPlaceholder: "Darf kein Platzhalter sein, den Programme statt eines Passworts einsetzen.",
    passwordLikeWord: (word) => `Darf nicht nur aus „${word}“ und bis zu vier weiteren Zeichen bestehen.`,
    passwordLikeName: "Darf nicht nur aus dem Benutzernamen und bis zu vier weiteren Zeichen bestehen.",
    passwordLikeEmail:
      "Darf nicht nur aus dem Teil der E-Mail-Adresse vor dem @ und bis zu vier weiteren Zeichen bestehen.",
    subjectLength: "Muss 1 bis 255\u00a0Zeichen lang sein.",
    textLength: "Muss 1 bis 65.535\u00a0Bytes lang sein.",
    searchWords: "Bitte 1 bis 5\u00a0Wörter mit zusammen höchstens 100\u00a0Zeichen eingeben.",
  },
};
