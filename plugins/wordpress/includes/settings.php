<?php
/**
 * The page Settings, Flattr Button. It shows no button, since that would ask the instance.
 *
 * @package Flattr_Button
 */

defined( 'ABSPATH' ) || exit;

const FLATTR_BUTTON_PAGE = 'flattr-button';

/**
 * Adds the page to the menu of settings.
 */
function flattr_button_menu() {
	add_options_page(
		__( 'Flattr Button', 'flattr-button' ),
		__( 'Flattr Button', 'flattr-button' ),
		'manage_options',
		FLATTR_BUTTON_PAGE,
		'flattr_button_page'
	);
}
add_action( 'admin_menu', 'flattr_button_menu' );

/**
 * Registers the option and its fields.
 */
function flattr_button_register_settings() {
	register_setting(
		FLATTR_BUTTON_PAGE,
		FLATTR_BUTTON_OPTION,
		array(
			'type'              => 'array',
			'sanitize_callback' => 'flattr_button_sanitize',
		)
	);
	$sections = array(
		'whose' => __( 'Whose button it is', 'flattr-button' ),
		'how'   => __( 'How it looks and where it stands', 'flattr-button' ),
		'proof' => __( 'Proof that the site is yours', 'flattr-button' ),
	);
	foreach ( $sections as $section => $title ) {
		add_settings_section( $section, $title, '__return_false', FLATTR_BUTTON_PAGE );
	}
	foreach ( flattr_button_fields() as $name => $field ) {
		$field['name'] = $name;
		if ( 'boxes' !== $field['kind'] ) {
			$field['label_for'] = 'flattr-button-' . $name;
		}
		add_settings_field( $name, $field['label'], 'flattr_button_field', FLATTR_BUTTON_PAGE, $field['section'], $field );
	}
}
add_action( 'admin_init', 'flattr_button_register_settings' );

/**
 * Returns the fields of the page in their order.
 *
 * @return array[]
 */
function flattr_button_fields() {
	$types = array();
	foreach ( flattr_button_types() as $type ) {
		$types[ $type ] = get_post_type_object( $type )->labels->name;
	}
	return array(
		'base'   => array(
			'section' => 'whose',
			'kind'    => 'url',
			'label'   => __( 'Address of the instance', 'flattr-button' ),
			'help'    => __( 'Such as https://flattr.example. Your visitors load the button from there.', 'flattr-button' ),
		),
		'user'   => array(
			'section' => 'whose',
			'kind'    => 'text',
			'label'   => __( 'Your username there', 'flattr-button' ),
			'help'    => '',
		),
		'layout' => array(
			'section' => 'how',
			'kind'    => 'select',
			'label'   => __( 'Layout', 'flattr-button' ),
			'help'    => '',
			'choices' => array(
				'flat'    => __( 'Flat, as READMEs carry it', 'flattr-button' ),
				'compact' => __( 'Compact, the count beside it', 'flattr-button' ),
				'large'   => __( 'Large, the count above it', 'flattr-button' ),
				'icon'    => __( 'Icon, without a count', 'flattr-button' ),
			),
		),
		'theme'  => array(
			'section' => 'how',
			'kind'    => 'select',
			'label'   => __( 'Colours', 'flattr-button' ),
			'help'    => '',
			'choices' => array(
				''      => __( 'As the visitor\'s screen is', 'flattr-button' ),
				'light' => __( 'Light', 'flattr-button' ),
				'dark'  => __( 'Dark', 'flattr-button' ),
			),
		),
		'place'  => array(
			'section' => 'how',
			'kind'    => 'select',
			'label'   => __( 'Place', 'flattr-button' ),
			'help'    => __( 'Where a post has the block or the shortcode [flattr], the button stands only there.', 'flattr-button' ),
			'choices' => array(
				'after'  => __( 'After the text', 'flattr-button' ),
				'before' => __( 'Before the text', 'flattr-button' ),
				'none'   => __( 'Only where I put it', 'flattr-button' ),
			),
		),
		'types'  => array(
			'section' => 'how',
			'kind'    => 'boxes',
			'label'   => __( 'On', 'flattr-button' ),
			'help'    => '',
			'choices' => $types,
		),
		'feed'   => array(
			'section' => 'how',
			'kind'    => 'box',
			'label'   => __( 'In the feed', 'flattr-button' ),
			'help'    => __( 'The button in the text, and a payment link for feed readers.', 'flattr-button' ),
		),
		'site'   => array(
			'section' => 'proof',
			'kind'    => 'text',
			'label'   => __( 'Proof of the whole site', 'flattr-button' ),
			'help'    => __( 'The content of the line that "Your things" gives you for this site.', 'flattr-button' ),
		),
		'id'     => array(
			'section' => 'proof',
			'kind'    => 'text',
			'label'   => __( 'Your Flattr id', 'flattr-button' ),
			'help'    => __( 'Proves each page that has no button. Leave it empty if others write here too.', 'flattr-button' ),
		),
	);
}

/**
 * Draws one field.
 *
 * @param array $field As `flattr_button_fields` returns it, and its name.
 */
function flattr_button_field( $field ) {
	$settings = flattr_button_settings();
	$value    = $settings[ $field['name'] ];
	$id       = 'flattr-button-' . $field['name'];
	$name     = FLATTR_BUTTON_OPTION . '[' . $field['name'] . ']';
	switch ( $field['kind'] ) {
		case 'select':
			printf( '<select id="%s" name="%s">', esc_attr( $id ), esc_attr( $name ) );
			foreach ( $field['choices'] as $choice => $label ) {
				printf( '<option value="%s" %s>%s</option>', esc_attr( $choice ), selected( $value, $choice, false ), esc_html( $label ) );
			}
			echo '</select>';
			break;
		case 'boxes':
			foreach ( $field['choices'] as $choice => $label ) {
				printf(
					'<label><input type="checkbox" name="%s[]" value="%s" %s /> %s</label><br />',
					esc_attr( $name ),
					esc_attr( $choice ),
					checked( in_array( $choice, $value, true ), true, false ),
					esc_html( $label )
				);
			}
			break;
		case 'box':
			printf( '<input type="checkbox" id="%s" name="%s" value="1" %s />', esc_attr( $id ), esc_attr( $name ), checked( $value, true, false ) );
			break;
		default:
			printf(
				'<input type="%s" class="regular-text code" id="%s" name="%s" value="%s" />',
				esc_attr( $field['kind'] ),
				esc_attr( $id ),
				esc_attr( $name ),
				esc_attr( $value )
			);
	}
	if ( '' !== $field['help'] ) {
		printf( '<p class="description">%s</p>', esc_html( $field['help'] ) );
	}
}

/**
 * Draws the page.
 */
function flattr_button_page() {
	if ( ! current_user_can( 'manage_options' ) ) {
		return;
	}
	echo '<div class="wrap"><h1>' . esc_html__( 'Flattr Button', 'flattr-button' ) . '</h1>';
	echo '<form action="options.php" method="post">';
	settings_fields( FLATTR_BUTTON_PAGE );
	do_settings_sections( FLATTR_BUTTON_PAGE );
	submit_button();
	echo '</form></div>';
}

/**
 * Adds a link to the page where plugins are listed.
 *
 * @param string[] $links The links of this plugin there.
 * @return string[]
 */
function flattr_button_action_links( $links ) {
	$link = sprintf(
		'<a href="%s">%s</a>',
		esc_url( admin_url( 'options-general.php?page=' . FLATTR_BUTTON_PAGE ) ),
		esc_html__( 'Settings', 'flattr-button' )
	);
	return array_merge( array( $link ), $links );
}
add_filter( 'plugin_action_links_' . plugin_basename( FLATTR_BUTTON_FILE ), 'flattr_button_action_links' );

/**
 * Suggests what to say in the site's privacy policy.
 */
function flattr_button_privacy() {
	wp_add_privacy_policy_content(
		__( 'Flattr Button', 'flattr-button' ),
		'<p>' . esc_html__( 'Pages with a Flattr button load it from the Flattr instance of this site, which thereby learns the address of your computer and of the page. It sets no cookie here.', 'flattr-button' ) . '</p>'
	);
}
add_action( 'admin_init', 'flattr_button_privacy' );
